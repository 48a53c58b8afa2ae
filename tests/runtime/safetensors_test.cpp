#include <torch/types.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "pipedream/error.h"
#include "pipedream/weights.h"
#include "support/scratch_folder.h"

using namespace pipedream;
using Catch::Contains;
using pipedream::testing::ScratchFolder;

namespace {

void write_raw(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string with_length(const std::string& header) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header;
}

// What reading a file with this header and so many bytes of data says.
std::string read_error(const std::string& header, std::size_t data_bytes) {
  const ScratchFolder folder;
  const auto path = folder / "bad.safetensors";
  write_raw(path, with_length(header) + std::string(data_bytes, 'x'));
  try {
    read_safetensors(path);
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    CHECK_THAT(text, Contains(path));
    return text;
  }
  FAIL("the file was read: " << header);
  return {};
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

bool same_bits(const torch::Tensor& a, const torch::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() &&
         std::memcmp(a.contiguous().const_data_ptr(), b.contiguous().const_data_ptr(), a.nbytes()) == 0;
}

NamedTensors one_of_each() {
  const auto bytes = torch::randint(0, 256, {6, 16}, torch::kUInt8);
  NamedTensors tensors;
  for (const auto type : {torch::kUInt8, torch::kInt8, torch::kUInt16, torch::kInt16, torch::kUInt32, torch::kInt32,
                          torch::kUInt64, torch::kInt64, torch::kFloat16, torch::kBFloat16, torch::kFloat32,
                          torch::kFloat64, torch::kComplexFloat, torch::kFloat8_e5m2, torch::kFloat8_e4m3fn}) {
    tensors[std::string("t.") + torch::toString(type)] = bytes.view(type);
  }
  tensors["bool"] = torch::tensor({true, false, true});
  tensors["scalar"] = torch::tensor(2.5);
  tensors["empty"] = torch::empty({0, 3});
  return tensors;
}

}  // namespace

TEST_CASE("tensors of every type come back bit for bit") {
  const ScratchFolder folder;
  const NamedTensors tensors = one_of_each();
  write_safetensors(folder / "a", tensors, {{"format", "pt"}});
  const NamedTensors read = read_safetensors(folder / "a");
  REQUIRE(read.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    INFO(name);
    CHECK(same_bits(read.at(name), tensor));
    CHECK(reinterpret_cast<std::uintptr_t>(read.at(name).const_data_ptr()) % 64 == 0);
  }
}

TEST_CASE("views are stored as the values that they show") {
  const ScratchFolder folder;
  const auto base = torch::arange(12, torch::kFloat32).view({3, 4});
  const auto complex = torch::complex(torch::rand({4}), torch::rand({4}));
  write_safetensors(folder / "a", {{"t", base.t()},
                                   {"column", base.select(1, 2)},
                                   {"conj", complex.conj()},
                                   {"grad", torch::ones({2}).requires_grad_()}});
  const NamedTensors read = read_safetensors(folder / "a");
  CHECK(read.at("t").equal(base.t()));
  CHECK(read.at("column").equal(base.select(1, 2)));
  CHECK(read.at("conj").equal(complex.conj().resolve_conj()));
  CHECK(read.at("grad").equal(torch::ones({2})));
  CHECK_FALSE(read.at("grad").requires_grad());
}

TEST_CASE("each tensor starts at a multiple of its element's size") {
  const ScratchFolder folder;
  write_safetensors(folder / "a", {{"a", torch::zeros({3}, torch::kUInt8)}, {"b", torch::zeros({1}, torch::kFloat64)}});
  std::ifstream file(folder / "a", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  CHECK((bytes.size() - 11) % 8 == 0);
  CHECK_THAT(bytes, Contains(R"("b":{"data_offsets":[0,8])") && Contains(R"("a":{"data_offsets":[8,11])"));
}

TEST_CASE("no tensors are a file, too") {
  const ScratchFolder folder;
  write_safetensors(folder / "a", {});
  CHECK(read_safetensors(folder / "a").empty());
}

TEST_CASE("what the format cannot hold is refused before a file is touched") {
  const ScratchFolder folder;
  const auto refuse = [&](const std::string& name, const torch::Tensor& tensor) {
    CHECK_THROWS_AS(write_safetensors(folder / "a", {{name, tensor}}), ConfigError);
    CHECK_FALSE(std::filesystem::exists(folder / "a"));
  };
  refuse("undefined", torch::Tensor());
  refuse("complex128", torch::zeros({1}, torch::kComplexDouble));
  refuse("sparse", torch::zeros({2, 2}).to_sparse());
  refuse("__metadata__", torch::zeros({1}));
  refuse("\xff", torch::zeros({1}));
}

TEST_CASE("a file that cannot be read says why") {
  const ScratchFolder folder;
  CHECK_THROWS_WITH(read_safetensors(folder / "none"), Contains("none") && Contains("no such file"));
  std::filesystem::create_directory(folder / "folder");
  CHECK_THROWS_AS(read_safetensors(folder / "folder"), ConfigError);
  write_raw(folder / "short", "1234567");
  CHECK_THROWS_WITH(read_safetensors(folder / "short"), Contains("truncated: 7 bytes"));
  write_raw(folder / "half", with_length("{}   ").substr(0, 10));
  CHECK_THROWS_WITH(read_safetensors(folder / "half"),
                    Contains("truncated: the header takes 5 bytes, but only 2 follow"));
  write_raw(folder / "long", std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8) + "{}");
  CHECK_THROWS_WITH(read_safetensors(folder / "long"), Contains("18446744073709551615 bytes, more than the format's"));
}

TEST_CASE("a header that is not one says what is wrong") {
  CHECK_THAT(read_error("{\"a\":", 0), Contains("no JSON"));
  CHECK_THAT(read_error("[]", 0), Contains("no JSON object"));
  CHECK_THAT(read_error("{\"a\":3}", 0), Contains("tensor 'a'") && Contains("no object"));
  CHECK_THAT(read_error("{\"__metadata__\":{\"a\":1}}", 0), Contains("__metadata__"));
  const std::string one = entry("a", "U8", "[1]", "[0,1]");
  CHECK_THAT(read_error("{" + one + "," + one + "}", 1), Contains("names 'a' twice"));
  CHECK_THAT(read_error("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1), Contains("data_offsets is missing"));
  CHECK_THAT(read_error("{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1), Contains("dtype is no text"));
}

TEST_CASE("a tensor that does not fit its data says where") {
  const auto error = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return read_error("{" + entry("w", dtype, shape, offsets) + "}", 8);
  };
  CHECK_THAT(error("F7", "[2]", "[0,8]"), Contains("tensor 'w'") && Contains("unknown dtype \"F7\""));
  CHECK_THAT(error("F32", "[3]", "[0,8]"), Contains("takes 12 bytes") && Contains("hold 8"));
  CHECK_THAT(error("F32", "[2]", "[0,16]"), Contains("only 8 bytes of data follow"));
  CHECK_THAT(error("F32", "[2]", "[8,0]"), Contains("end before they begin"));
  CHECK_THAT(error("F32", "[2]", "[0]"), Contains("1 numbers instead of 2"));
  CHECK_THAT(error("F32", "[-2]", "[0,8]"), Contains("shape is no list"));
  CHECK_THAT(error("F32", "[2.0]", "[0,8]"), Contains("shape is no list"));
  CHECK_THAT(error("F32", "[4294967296,4294967296]", "[0,8]"), Contains("63 bits"));
  CHECK_THAT(error("F32", "[18446744073709551615]", "[0,8]"), Contains("63 bits"));
}

TEST_CASE("overlap, gap and unused data are told apart") {
  const auto two = [](const std::string& first, const std::string& second, std::size_t bytes) {
    return read_error("{" + entry("a", "U8", "[4]", first) + "," + entry("b", "U8", "[4]", second) + "}", bytes);
  };
  CHECK_THAT(two("[0,4]", "[3,7]", 7), Contains("tensor 'b' begins at byte 3, inside of tensor 'a', which ends at 4"));
  CHECK_THAT(two("[0,4]", "[0,4]", 4), Contains("inside of tensor 'a'"));
  CHECK_THAT(two("[0,4]", "[5,9]", 9), Contains("no tensor covers bytes 4 to 5 before tensor 'b'"));
  CHECK_THAT(two("[1,5]", "[5,9]", 9), Contains("no tensor covers bytes 0 to 1 before tensor 'a'"));
  CHECK_THAT(two("[0,4]", "[4,8]", 10), Contains("2 bytes follow the last tensor's"));
}

TEST_CASE("a truncated file is never read as a whole one") {
  const ScratchFolder folder;
  write_safetensors(folder / "whole", {{"a", torch::rand({5})}, {"b", torch::rand({2, 3}, torch::kFloat64)}});
  std::ifstream file(folder / "whole", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_raw(folder / "cut", bytes.substr(0, size));
    CHECK_THROWS_AS(read_safetensors(folder / "cut"), ConfigError);
  }
}

TEST_CASE("Python's safetensors reads what is written here and the other way round") {
  if (std::system("python3 -c 'import numpy, safetensors.numpy' >/dev/null 2>&1") != 0) {
    WARN("skipped: python3 has no safetensors and numpy");
    return;
  }
  const ScratchFolder folder;
  const auto values = torch::rand({3, 5}, torch::kFloat64);
  write_safetensors(folder / "ours", {{"x", values}, {"n", torch::arange(7)}, {"b", torch::tensor({true, false})}});
  const std::string script =
      "from safetensors.numpy import load_file, save_file\n"
      "t = load_file(r'" +
      (folder / "ours") +
      "')\n"
      "assert t['n'].tolist() == list(range(7)) and t['b'].tolist() == [True, False]\n"
      "save_file({'x2': t['x'] * 2, 'n': t['n'], 'b': t['b']}, r'" +
      (folder / "theirs") + "')\n";
  write_raw(folder / "check.py", script);
  REQUIRE(std::system(("python3 " + (folder / "check.py")).c_str()) == 0);
  const NamedTensors read = read_safetensors(folder / "theirs");
  CHECK(read.at("x2").equal(values * 2));
  CHECK(read.at("n").equal(torch::arange(7)));
  CHECK(read.at("b").equal(torch::tensor({true, false})));
}
