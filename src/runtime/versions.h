// The weight versions of one stage on one worker.
//
// Version v is the weights after v updates. Each version that somebody still names is one flat buffer with a view for
// every parameter; buffers are recycled, so that a steady state allocates none. The newest version is what the
// optimizer steps, through master tensors that share its storage: the modules' parameters see each write only as the
// new version they are bound to, never through a saved tensor's version counter. An update writes in place unless it is
// told that the old version is still named; then it writes a copy (SEMANTICS: a stash must leave the old storage
// untouched and set the old data back before the backward). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "pipedream/layer_graph.h"

namespace pipedream::detail {

// Parameters laid out in one allocation: views with the parameters' sizes and strides, each aligned to 64 bytes.
class FlatTensors {
 public:
  explicit FlatTensors(const Tensors& like);
  const torch::Tensor& bytes() const { return bytes_; }
  const Tensors& views() const { return views_; }

 private:
  torch::Tensor bytes_;
  Tensors views_;
};

// How an update treats the version before it.
enum class KeepOld {
  no,    // written over
  copy,  // the newest version is a copy of it before the step
  read   // the step finds it in `old` and writes every master
};

class VersionStore {
 public:
  // Takes the parameters' present values as version 0 and gives them storage of its own.
  explicit VersionStore(Tensors parameters);

  // What the optimizer steps: stable tensors that always hold the newest version.
  const Tensors& masters() const { return masters_; }
  std::int64_t newest() const { return newest_; }

  // Makes the modules see version v.
  void bind(std::int64_t version);
  // Makes them see this buffer until the next bind().
  void bind_to(const FlatTensors& buffer);
  const torch::Tensor& newest_bytes() const { return buffers_[buffer_of(newest_)].bytes(); }
  // norm of (version - newest) / norm of the newest, over all parameters. The host waits for it.
  double distance_to_newest(std::int64_t version) const;
  // Makes version newest() + 1: lets `step` write the masters. old: the version before, by parameter.
  void update(KeepOld keep, const std::function<void(const Tensors& old)>& step);
  // Gives the buffer of a version that is no longer named back; the newest one stays.
  void free(std::int64_t version);

  int peak_versions() const { return peak_; }
  std::int64_t buffers() const { return static_cast<std::int64_t>(buffers_.size()); }
  // Updates that kept the old version.
  std::int64_t copies() const { return copies_; }
  std::int64_t bytes_per_version() const { return buffers_.front().bytes().numel(); }

 private:
  struct Held {
    std::int64_t version;
    std::size_t buffer;
  };

  static constexpr std::int64_t kElsewhere = -1;

  std::size_t take_buffer();
  std::size_t buffer_of(std::int64_t version) const;
  static void point_at(const Tensors& tensors, const FlatTensors& buffer);

  Tensors parameters_;
  Tensors masters_;
  std::vector<FlatTensors> buffers_;
  std::vector<std::size_t> unused_;
  std::vector<Held> held_;  // the newest included
  std::int64_t newest_ = 0;
  std::int64_t bound_ = 0;  // kElsewhere: to a buffer that is none of these
  std::int64_t copies_ = 0;
  int peak_ = 1;
};

}  // namespace pipedream::detail
