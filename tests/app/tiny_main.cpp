#include "tiny_app.h"

int main(int argc, char** argv) { return pipedream::run(argc, argv, pipedream::test::tiny_app()); }
