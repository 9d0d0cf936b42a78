import type { Kind } from '#kernel/kinds/kind.ts';
import { Draft } from './kinds/draft.ts';
import { Freeze } from './kinds/freeze.ts';
import { Notification } from './kinds/notification.ts';
import { Pin } from './kinds/pin.ts';
import { PrometheusSource } from './kinds/prometheus-source.ts';
import { Release } from './kinds/release.ts';
import { releasePolicyKind } from './kinds/release-policy.ts';
import { Stop } from './kinds/stop.ts';
import type { Targets } from './kinds/targets.ts';

/** In the write order of objects in one change set. Stages of a policy refer to these targets. */
export function releaseKinds(targets: Targets): readonly Kind[] {
  return [PrometheusSource, releasePolicyKind(targets), Freeze, Stop, Pin, Release, Notification, Draft];
}
