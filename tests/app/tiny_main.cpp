#include "tiny_app.h"

int main(int argc, char** argv) { return pipedream::run(argc, argv, pipedream::testing::tiny_app()); }
