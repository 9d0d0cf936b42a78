import { Counter, type Registry } from 'prom-client';
import { counter } from '#kernel/http/metrics.ts';

/** The outcome of a reported event. */
export type CountedAs =
  | 'counted'
  | 'duplicate'
  | 'held'
  | 'outOfOrder'
  | 'expired'
  | 'badToken'
  | 'unknownEvent'
  | 'tooFast'
  | 'adFree'
  | 'entitlementUnknown';

export interface AdEventMetrics {
  /** Counts an answered break. @param outcome `served`, or why it has no ads */
  readonly countBreak: (outcome: string, slots: { readonly asked: number; readonly filled: number }) => void;
  /** @param event the name of an event; empty where it is not known */
  readonly countEvent: (event: string, outcome: CountedAs) => void;
  readonly countCharges: (outcome: 'charged' | 'free', charges: number) => void;
  readonly countAfterUpgrade: () => void;
}

export function adEventMetrics(registry: Registry): AdEventMetrics {
  const events = new Counter({
    name: 'backline_ads_events_total',
    help: 'Events that players reported, by event (empty: unknown) and outcome; a held event counts again when it ends.',
    labelNames: ['event', 'outcome'] as const,
    registers: [registry],
  });
  const late = new Counter({
    name: 'backline_ads_late_charges_total',
    help: 'Paid events whose reservation had ended: charged where the budget had room, else free.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  const afterUpgrade = counter(
    registry,
    'backline_ads_impressions_after_upgrade_total',
    'Impressions of listeners who have the ad-free feature: refused, and not charged.',
  );
  const breaks = new Counter({
    name: 'backline_ads_breaks_total',
    help: 'Answered breaks by outcome: served, or why they have no ads.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  const slots = new Counter({
    name: 'backline_ads_slots_total',
    help: 'Slots of breaks for listeners who may hear ads: filled, and left empty.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  return {
    countBreak: (outcome, { asked, filled }) => {
      breaks.inc({ outcome });
      if (outcome !== 'served' && outcome !== 'noCandidate') return;
      slots.inc({ outcome: 'filled' }, filled);
      slots.inc({ outcome: 'empty' }, asked - filled);
    },
    countEvent: (event, outcome) => events.inc({ event, outcome }),
    countCharges: (outcome, charges) => late.inc({ outcome }, charges),
    countAfterUpgrade: () => afterUpgrade.inc(),
  };
}
