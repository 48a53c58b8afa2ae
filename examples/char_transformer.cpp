// A small causal transformer that predicts the next character of a text, trained as a pipeline.
//
//   scripts/text                          fetches a text, .deps/text/kjv.txt
//   char_transformer train --workers 4    or with one of your own: --text FILE
//
// Tensors are [rows, length, width] between the layers: n rows of 64 characters, 64 numbers for each. A block is ten
// layers, so that a plan can cut it; where it does, the way past the cut goes along: two tensors cross.
#include <pipedream/pipedream.h>
#include <torch/torch.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "text_data.h"

namespace pd = pipedream;
namespace nn = torch::nn;

namespace {

constexpr std::int64_t kLength = 64;
constexpr std::int64_t kWidth = 64;
constexpr std::int64_t kHeads = 4;
constexpr int kBlocks = 4;

nn::LayerNorm norm() { return nn::LayerNorm(nn::LayerNormOptions({kWidth})); }
torch::Tensor gelu(const torch::Tensor& x) { return torch::gelu(x); }
torch::Tensor add(const torch::Tensor& a, const torch::Tensor& b) { return a + b; }

// Queries, keys and values [n, length, 3 width] to [n, length, width]; each character sees itself and those before it.
torch::Tensor causal_attention(const torch::Tensor& x) {
  const auto heads = x.view({x.size(0), kLength, 3, kHeads, kWidth / kHeads}).permute({2, 0, 3, 1, 4});
  const auto seen = torch::scaled_dot_product_attention(heads[0], heads[1], heads[2], /*attn_mask=*/{},
                                                        /*dropout_p=*/0.0, /*is_causal=*/true);
  return seen.transpose(1, 2).reshape({x.size(0), kLength, kWidth});
}

pd::Value block(pd::LayerGraph& graph, const std::string& name, const pd::Value& in) {
  const pd::Value attended = pd::Chain(graph, in)
                                 .layer(name + "_norm1", norm)
                                 .layer(name + "_qkv", [] { return nn::Linear(kWidth, 3 * kWidth); })
                                 .layer(name + "_attention", causal_attention)
                                 .layer(name + "_project", [] { return nn::Linear(kWidth, kWidth); })
                                 .value();
  const pd::Value middle = graph.layer(name + "_add1", {in, attended}, add);
  const pd::Value mixed = pd::Chain(graph, middle)
                              .layer(name + "_norm2", norm)
                              .layer(name + "_widen", [] { return nn::Linear(kWidth, 4 * kWidth); })
                              .layer(name + "_gelu", gelu)
                              .layer(name + "_narrow", [] { return nn::Linear(4 * kWidth, kWidth); })
                              .value();
  return graph.layer(name + "_add2", {middle, mixed}, add);
}

pd::LayerGraph char_transformer() {
  pd::LayerGraph graph;
  pd::Value h = graph.layer("embedding", graph.input("character"), [] { return nn::Embedding(kCharacters, kWidth); });
  h = graph.layer(
      "position", h, [] { return nn::Embedding(kLength, kWidth); },
      [](auto& positions, const torch::Tensor& x) { return x + positions->weight; });
  for (int i = 0; i < kBlocks; ++i) h = block(graph, "block" + std::to_string(i), h);
  h = graph.layer("norm", h, norm);
  h = graph.layer("head", h, [] { return nn::Linear(kWidth, kCharacters); });
  // The classes second, [n, characters, length], as cross_entropy wants them.
  const pd::Value logits = graph.layer("logits", h, [](const torch::Tensor& x) { return x.transpose(1, 2); });
  const pd::Value next = graph.target("next");
  graph.loss("cross_entropy", {logits, next}, pd::cross_entropy);
  graph.metric("accuracy", {logits, next}, pd::accuracy);
  return graph;
}

// Takes "--text FILE" out of the command line, whose other options are those of every program.
std::filesystem::path take_text(int& argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--text") != 0) continue;
    const std::filesystem::path text = argv[i + 1];
    for (int j = i + 2; j <= argc; ++j) argv[j - 2] = argv[j];  // the null pointer at the end, too
    argc -= 2;
    return text;
  }
  return ".deps/text/kjv.txt";
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path text = take_text(argc, argv);
  return pd::run(argc, argv,
                 {.name = "char_transformer",
                  .graph = char_transformer,
                  .train = [&] { return read_text(text, kLength, TextPart::train); },
                  .test = [&] { return read_text(text, kLength, TextPart::test); },
                  .optimizer = pd::adamw({.learning_rate = 0.002, .weight_decay = 0.01}),
                  .microbatch_size = 8,
                  .epochs = 1});
}
