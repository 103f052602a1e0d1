#pragma once
#include "rust/cxx.h"

rust::String tie(rust::Str name);
