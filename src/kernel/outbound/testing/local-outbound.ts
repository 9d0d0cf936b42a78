import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { parseAllowedHosts, THIS_MACHINE } from '../address-policy.ts';
import { openOutbound, type Outbound } from '../outbound.ts';

/** Reaches the servers of a test, which are on this machine. */
export function localOutbound(): Outbound {
  const allowed = parseAllowedHosts(THIS_MACHINE);
  return openOutbound({ allowed, log: openLog('silent'), registry: new Registry() });
}
