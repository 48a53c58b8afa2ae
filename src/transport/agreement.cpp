#include "transport/agreement.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipedream/error.h"

namespace pipedream::detail {
namespace {

using nlohmann::json;

json run_guarded(const std::function<Facts()>& work) {
  try {
    return {{"facts", work()}};
  } catch (const CommunicationError&) {
    throw;
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

void compare(const json& first, const json& other, int worker) {
  for (const auto& [name, value] : first.items()) {
    const std::string theirs = other.value(name, std::string("(absent)"));
    if (theirs != value.get<std::string>()) {
      throw ConfigError(
          fmt::format("workers 0 and {} differ in {}: {} and {}", worker, name, value.get<std::string>(), theirs));
    }
  }
}

}  // namespace

void agree(Communicator& comm, const std::function<Facts()>& work) {
  const auto texts = comm.all_gather(run_guarded(work).dump(-1, ' ', false, json::error_handler_t::replace));
  std::vector<json> answers;
  for (const std::string& text : texts) answers.push_back(json::parse(text));
  for (std::size_t worker = 0; worker < answers.size(); ++worker) {
    if (!answers[worker].contains("error")) continue;
    const auto cause = answers[worker]["error"].get<std::string>();
    const bool everywhere = std::all_of(answers.begin(), answers.end(), [&](const json& answer) {
      return answer.value("error", std::string()) == cause;
    });
    throw ConfigError(everywhere ? cause : fmt::format("worker {}: {}", worker, cause));
  }
  for (std::size_t worker = 1; worker < answers.size(); ++worker) {
    compare(answers[0]["facts"], answers[worker]["facts"], static_cast<int>(worker));
  }
}

std::string digest(const std::string& text) { return fmt::format("{:016x}", XXH64(text.data(), text.size(), 0)); }

}  // namespace pipedream::detail
