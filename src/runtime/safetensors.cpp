#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "pipedream/error.h"
#include "pipedream/weights.h"
#include "planning/atomic_file.h"
#include "runtime/safetensors_header.h"
#include "runtime/safetensors_types.h"

namespace pipedream {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor data is written as it lies in memory");

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kDataAlignment = 8;

using Item = NamedTensors::const_pointer;

void check_writable(const std::string& file, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const auto fail = [&, &label = name](const std::string& what) {
      throw ConfigError(fmt::format("{}: tensor '{}' {}", file, label, what));
    };
    if (name == "__metadata__") fail("has the name that the format keeps for metadata");
    if (!tensor.defined()) fail("is undefined");
    if (tensor.layout() != torch::kStrided) fail("has no dense data");
    if (detail::safetensors_name(tensor.scalar_type()).empty()) {
      fail(fmt::format("has elements of type {}, which the format does not know",
                       torch::toString(tensor.scalar_type())));
    }
  }
}

// Widest elements first: each tensor then starts at a multiple of its element's size without gaps, which the format
// does not allow.
std::vector<Item> order_of_data(const NamedTensors& tensors) {
  std::vector<Item> items;
  for (const auto& item : tensors) items.push_back(&item);
  std::stable_sort(items.begin(), items.end(),
                   [](Item a, Item b) { return a->second.element_size() > b->second.element_size(); });
  return items;
}

std::string make_header(const std::string& file, const std::vector<Item>& items,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const Item item : items) {
    const torch::Tensor& tensor = item->second;
    const std::uint64_t end = offset + tensor.nbytes();
    header[item->first] = {{"dtype", detail::safetensors_name(tensor.scalar_type())},
                           {"shape", tensor.sizes().vec()},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(fmt::format("{}: a name or metadata is no UTF-8: {}", file, error.what()));
  }
  text.append((kDataAlignment - text.size() % kDataAlignment) % kDataAlignment, ' ');
  if (text.size() > detail::kMaxSafetensorsHeaderBytes) {
    throw ConfigError(fmt::format("{}: the header would take {} bytes, more than the format's {}", file, text.size(),
                                  detail::kMaxSafetensorsHeaderBytes));
  }
  return text;
}

std::string_view bytes_of(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

// A file that is read from front to back.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path) : name_(path.string()), stream_(path, std::ios::binary) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      fail(error && error != std::errc::no_such_file_or_directory ? error.message() : "there is no such file");
    }
    size_ = std::filesystem::file_size(path, error);
    if (error || !stream_) fail("cannot be read");
  }

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }

  void read(void* to, std::uint64_t bytes) {
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (!stream_) fail("cannot be read to its end");
  }

  [[noreturn]] void fail(const std::string& what) const { throw ConfigError(fmt::format("{}: {}", name_, what)); }

 private:
  std::string name_;
  std::ifstream stream_;
  std::uint64_t size_ = 0;
};

std::string read_header(InputFile& file) {
  if (file.size() < kLengthBytes) {
    file.fail(fmt::format("truncated: {} bytes, less than the header's length alone takes", file.size()));
  }
  std::uint64_t length = 0;
  file.read(&length, kLengthBytes);
  if (length > detail::kMaxSafetensorsHeaderBytes) {
    file.fail(fmt::format("the header's length is given as {} bytes, more than the format's {}: no safetensors file?",
                          length, detail::kMaxSafetensorsHeaderBytes));
  }
  if (length > file.size() - kLengthBytes) {
    file.fail(
        fmt::format("truncated: the header takes {} bytes, but only {} follow", length, file.size() - kLengthBytes));
  }
  std::string header(length, '\0');
  file.read(header.data(), length);
  return header;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const torch::NoGradGuard no_gradient;
  check_writable(path.string(), tensors);
  const std::vector<Item> items = order_of_data(tensors);
  const std::string header = make_header(path.string(), items, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), kLengthBytes});
  file.write(header);
  for (const Item item : items) {
    const torch::Tensor data = item->second.detach().to(torch::kCPU).resolve_conj().resolve_neg().contiguous();
    file.write(bytes_of(data));
  }
  file.commit();
}

NamedTensors read_safetensors(const std::filesystem::path& path) {
  InputFile file(path);
  const std::string header = read_header(file);
  const std::uint64_t data_bytes = file.size() - kLengthBytes - header.size();
  NamedTensors tensors;
  for (const auto& entry : detail::parse_safetensors_header(header, data_bytes, file.name())) {
    torch::Tensor tensor = torch::empty(entry.shape, torch::TensorOptions().dtype(entry.type));
    file.read(tensor.mutable_data_ptr(), entry.end - entry.begin);
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace pipedream
