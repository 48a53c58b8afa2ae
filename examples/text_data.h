// A text as rows of characters, for models that predict the next one: "character" [rows, length], the codes of
// consecutive characters, and "next" [rows, length], for each of them the one that follows. Rows do not overlap. The
// first nine tenths of the file train, the rest tests.
#pragma once

#include <pipedream/data.h>

#include <cstdint>
#include <filesystem>
#include <memory>

inline constexpr std::int64_t kCharacters = 128;  // codes from 0 to 127: ASCII

enum class TextPart { train, test };

// Throws ConfigError where the file cannot be read, is too short for a row of each part, or holds another character.
std::shared_ptr<const pipedream::Dataset> read_text(const std::filesystem::path& path, std::int64_t length,
                                                    TextPart part);
