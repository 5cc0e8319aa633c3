#include "thread.h"

__thread unsigned thread_number = THREAD_NONE;
