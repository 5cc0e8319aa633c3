/* thread: the number of the worker that this thread is, so that per-worker shards find their own without a lock. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#define THREAD_NONE (~0u)

extern __thread unsigned thread_number; /* set by whoever runs the worker; THREAD_NONE on every other thread */

#endif
