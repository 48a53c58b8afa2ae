// Quantities as people write them: "10GB/s", "16GiB", "100us", and the way back.
//
// k, M, G, T are powers of 1000, Ki, Mi, Gi, Ti of 1024. A plain number is bytes, bytes per second or microseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pipedream::detail {

// "16GiB", "512MB", "4096". Throws ConfigError: not understood, negative, a fraction of a byte, past 2^63.
std::int64_t parse_bytes(std::string_view text);

// "10GB/s", "1.25 GB/s", "1Gbit/s". Throws ConfigError: not understood, not positive.
double parse_bytes_per_second(std::string_view text);

// "100us", "0.1ms", "2s". Throws ConfigError: not understood, negative.
double parse_microseconds(std::string_view text);

// Three or four significant digits: "1.50 GiB", "12.3 ms", "1.25 GB/s".
std::string format_bytes(std::int64_t bytes);
std::string format_bytes_per_second(double bytes_per_second);
std::string format_microseconds(double microseconds);

}  // namespace pipedream::detail
