/* SPDX-License-Identifier: Apache-2.0 */
/* All of Ferry's C face in one include. */
#ifndef FERRY_H
#define FERRY_H

#include "ferry/base.h"
#include "ferry/address.h"
#include "ferry/loop.h"
#include "ferry/future.h"
#include "ferry/io.h"
#include "ferry/job.h"
#include "ferry/context.h"
#include "ferry/executor.h"
#include "ferry/pack.h"
#include "ferry/process.h"
#include "ferry/task.h"
#include "ferry/sync.h"
#include "ferry/run.h"
#include "ferry/sim.h"

#endif
