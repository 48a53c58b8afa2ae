#include "partitioner/units.h"

#include <catch2/catch.hpp>

#include "planning/support.h"

using namespace pipedream::detail;
using Catch::Contains;
using pipedream::testing::config_error;

TEST_CASE("quantities are read") {
  CHECK(parse_bytes("16GiB") == std::int64_t{16} << 30);
  CHECK(parse_bytes("1.5 kB") == 1500);
  CHECK(parse_bytes("4096") == 4096);
  CHECK(parse_bytes("0B") == 0);
  CHECK(parse_bytes_per_second("10GB/s") == 1e10);
  CHECK(parse_bytes_per_second("1.25GB/s") == 1.25e9);
  CHECK(parse_bytes_per_second("1Gbit/s") == 125e6);
  CHECK(parse_bytes_per_second("2 MiB/s") == 2 * 0x1p20);
  CHECK(parse_bytes_per_second("1e9") == 1e9);
  CHECK(parse_microseconds("100us") == 100);
  CHECK(parse_microseconds("0.5ms") == 500);
  CHECK(parse_microseconds("2s") == 2e6);
  CHECK(parse_microseconds("0") == 0);
}

TEST_CASE("what is no quantity is refused with the units") {
  for (const char* text : {"", "GB", "10 gb", "10GB/s", "-1GB", "nan", "inf", "1e999", "1GBB", "0x10", "1,5GB"}) {
    CHECK_THAT(config_error([&] { parse_bytes(text); }), Contains("is not a size like 16GiB (units: B, kB"));
  }
  CHECK_THAT(config_error([] { parse_bytes("0.5B"); }), Contains("not a whole number of bytes"));
  CHECK_THAT(config_error([] { parse_bytes("10000000000GB"); }), Contains("2^63"));
  for (const char* text : {"10GB", "10Gb/s", "fast", "-1GB/s"}) {
    CHECK_THAT(config_error([&] { parse_bytes_per_second(text); }), Contains("is not a bandwidth like 10GB/s"));
  }
  CHECK_THAT(config_error([] { parse_bytes_per_second("0GB/s"); }), Contains("must be positive"));
  CHECK_THAT(config_error([] { parse_microseconds("1 minute"); }), Contains("is not a time like 100us"));
}

TEST_CASE("quantities are written") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1536) == "1.50 KiB");
  CHECK(format_bytes(std::int64_t{20} << 30) == "20.0 GiB");
  CHECK(format_microseconds(0.25) == "0.25 us");
  CHECK(format_microseconds(12345) == "12.3 ms");
  CHECK(format_microseconds(2e8) == "200 s");
  CHECK(format_bytes_per_second(1.25e9) == "1.25 GB/s");
}
