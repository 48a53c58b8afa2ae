#include <iostream>

#include "partitioner/command.h"

int main(int argc, char** argv) {
  const int code = pipedream::pipedream_command({argv + 1, argv + argc}, std::cout, std::cerr);
  std::cout.flush();
  if (code == 0 && !std::cout) {
    std::cerr << "pipedream: cannot write to standard output\n";
    return 3;
  }
  return code;
}
