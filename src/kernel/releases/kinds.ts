import type { Kind } from '#kernel/resources/kind.ts';
import { Freeze } from './kinds/freeze.ts';
import { Notification } from './kinds/notification.ts';
import { Pin } from './kinds/pin.ts';
import { PrometheusSource } from './kinds/prometheus-source.ts';
import { Release } from './kinds/release.ts';
import { ReleasePolicy } from './kinds/release-policy.ts';
import { Stop } from './kinds/stop.ts';

/** In the order in which objects of one change set are written. */
export const releaseKinds: readonly Kind[] = [
  PrometheusSource,
  ReleasePolicy,
  Freeze,
  Stop,
  Pin,
  Release,
  Notification,
];
