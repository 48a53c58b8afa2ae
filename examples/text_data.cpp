#include "text_data.h"

#include <pipedream/error.h>
#include <torch/types.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <system_error>

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  std::ifstream file(path, std::ios::binary);
  if (!file || !std::filesystem::is_regular_file(path, error)) {
    throw pipedream::ConfigError("the text " + path.string() +
                                 " cannot be read; scripts/text fetches one, --text FILE names another");
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

torch::Tensor codes(const std::string& text, const std::filesystem::path& path) {
  auto tensor = torch::empty({static_cast<std::int64_t>(text.size())}, torch::kInt64);
  auto* code = tensor.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < text.size(); ++i) {
    code[i] = static_cast<unsigned char>(text[i]);
    if (code[i] >= kCharacters) {
      throw pipedream::ConfigError("the text " + path.string() + ": byte " + std::to_string(i) + " is " +
                                   std::to_string(code[i]) + ", no ASCII character");
    }
  }
  return tensor;
}

}  // namespace

std::shared_ptr<const pipedream::Dataset> read_text(const std::filesystem::path& path, std::int64_t length,
                                                    TextPart part) {
  const torch::Tensor text = codes(read_file(path), path);
  const std::int64_t train = text.size(0) * 9 / 10;
  const torch::Tensor mine = part == TextPart::train ? text.slice(0, 0, train) : text.slice(0, train);
  const std::int64_t count = mine.size(0) - 1;  // the last character has none that follows
  if (count < length) {
    throw pipedream::ConfigError("the text " + path.string() + " has " + std::to_string(text.size(0)) +
                                 " characters, too few for rows of " + std::to_string(length) +
                                 " to train and to test");
  }
  return std::make_shared<pipedream::TensorDataset>(
      std::map<std::string, torch::Tensor>{{"character", mine.slice(0, 0, count).unfold(0, length, length)},
                                           {"next", mine.slice(0, 1).unfold(0, length, length)}});
}
