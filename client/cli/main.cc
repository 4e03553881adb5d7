#include <iostream>

#include "client/cli/run.h"

int main(int argc, char** argv) { return stepwell::cli::Run(argc, argv, std::cin, std::cout, std::cerr); }
