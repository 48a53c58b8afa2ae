// All workers agree before work starts, and fail together where one of them cannot start.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "pipedream/communicator.h"

namespace pipedream::detail {

// What must be equal on every worker: what it is called, and its value.
using Facts = std::map<std::string, std::string>;

// Collective. Runs `work` here, then hears from all: throws ConfigError on every worker, the same text, when `work`
// threw a std::exception anywhere (the first worker's cause, with its number unless all have the same), or when a fact
// that it returned differs between workers. CommunicationErrors pass through.
void agree(Communicator& comm, const std::function<Facts()>& work);

// A short digest for facts that are long.
std::string digest(const std::string& text);

}  // namespace pipedream::detail
