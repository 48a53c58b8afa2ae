#include "digits_data.h"

#include <pipedream/error.h>
#include <torch/types.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

extern const std::string_view kDigitsCsv;  // made from data/digits.csv by CMakeLists.txt

namespace {

constexpr int kPixels = 64;
constexpr float kWhite = 16;

struct Row {
  float pixels[kPixels];
  std::int64_t label;
};

// A whole number from `text`, which it shortens by the number and the comma behind it.
int next_number(std::string_view& text, std::size_t line) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool ends = end == text.data() + text.size() || *end == ',';
  if (error != std::errc() || !ends || value < 0 || value > kWhite) {
    throw pipedream::ConfigError("digits.csv, line " + std::to_string(line) + ": expected " +
                                 std::to_string(kPixels + 1) + " whole numbers from 0 to 16 with commas between them");
  }
  text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(end - text.data()) + 1));
  return value;
}

std::vector<Row> read_rows(std::string_view csv, bool test) {
  std::vector<Row> rows;
  for (std::size_t line = 1; !csv.empty(); ++line) {
    std::string_view text = csv.substr(0, csv.find('\n'));
    csv.remove_prefix(std::min(csv.size(), text.size() + 1));
    if ((line % 5 == 0) != test) continue;
    Row& row = rows.emplace_back();
    for (float& pixel : row.pixels) pixel = static_cast<float>(next_number(text, line)) / kWhite;
    row.label = next_number(text, line);
  }
  return rows;
}

std::shared_ptr<const pipedream::Dataset> make_dataset(bool test) {
  const std::vector<Row> rows = read_rows(kDigitsCsv, test);
  const auto count = static_cast<std::int64_t>(rows.size());
  auto images = torch::empty({count, 1, 8, 8});
  auto labels = torch::empty({count}, torch::kInt64);
  for (std::int64_t i = 0; i < count; ++i) {
    const Row& row = rows[static_cast<std::size_t>(i)];
    std::copy_n(row.pixels, kPixels, images.data_ptr<float>() + i * kPixels);
    labels.data_ptr<std::int64_t>()[i] = row.label;
  }
  return std::make_shared<pipedream::TensorDataset>(
      std::map<std::string, torch::Tensor>{{"image", images}, {"label", labels}});
}

}  // namespace

std::shared_ptr<const pipedream::Dataset> digits_train() { return make_dataset(false); }
std::shared_ptr<const pipedream::Dataset> digits_test() { return make_dataset(true); }
