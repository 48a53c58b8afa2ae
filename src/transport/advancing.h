// What goes on in steps that its owner must take, while the owner waits for something else: another worker may depend
// on it.
#pragma once

namespace pipedream::detail {

class Advancing {
 public:
  virtual ~Advancing() = default;
  virtual void advance() = 0;
};

}  // namespace pipedream::detail
