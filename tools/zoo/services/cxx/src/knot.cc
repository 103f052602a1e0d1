#include "zoo-cxx/src/knot.h"

#include <sstream>
#include <stdexcept>
#include <string>

rust::String tie(rust::Str name) {
    if (name.empty()) {
        throw std::invalid_argument("a knot needs a name");
    }
    std::ostringstream text;
    text << "tied a " << std::string(name);
    return text.str();
}
