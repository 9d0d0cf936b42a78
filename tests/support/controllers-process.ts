import { systemClock } from '#kernel/base/clock.ts';
import { openLog } from '#kernel/base/log.ts';
import { openRegistry } from '#kernel/http/metrics.ts';
import { httpClient } from '#kernel/api/client/http.ts';
import { allKinds } from '#planes/catalogue.ts';
import { MODULES } from '#planes/modules.ts';
import { runControllers } from '#planes/parts/controllers.ts';

/** Controllers in a process of their own, whose lease is short so that a test need not wait long. */
const [, , server = '', token, identity = ''] = process.argv;
const controllers = runControllers({
  client: httpClient({ server, token }),
  kinds: allKinds(),
  modules: MODULES,
  identity,
  timing: { leaseMs: 1_000, renewDeadlineMs: 700, renewEveryMs: 200, retryMs: 100 },
  clock: systemClock,
  log: openLog('error'),
  registry: openRegistry(),
});
process.once('SIGTERM', () => {
  void controllers.stop().then(() => process.exit(0));
});
