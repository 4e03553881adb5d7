#include "stepwell/engine/engine.h"
