// Tables for people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pipedream::detail {

using TableRow = std::vector<std::string>;

// One line a row, columns as wide as their widest cell; the first `text_columns` columns to the left, the others to the
// right. Rows may be shorter than the first one.
std::string text_table(const std::vector<TableRow>& rows, std::size_t text_columns);

}  // namespace pipedream::detail
