#include "stepwell/model/model.h"
