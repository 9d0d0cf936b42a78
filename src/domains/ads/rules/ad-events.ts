import type { Goal } from './goals.ts';

/**
 * Events that a player reports of an ad, each with the one that must have come before it. An error may be all that comes
 * of an ad. Plays go on from a start, everything else from the impression.
 */
const BEFORE = {
  impression: undefined,
  error: undefined,
  start: 'impression',
  click: 'impression',
  skip: 'impression',
  mute: 'impression',
  unmute: 'impression',
  pause: 'impression',
  resume: 'impression',
  firstQuartile: 'start',
  midpoint: 'start',
  thirdQuartile: 'start',
  complete: 'start',
} as const;

export type AdEvent = keyof typeof BEFORE;

export const AD_EVENTS = Object.keys(BEFORE) as readonly AdEvent[];

export function isAdEvent(name: string): name is AdEvent {
  return Object.hasOwn(BEFORE, name);
}

/** The event that must have been counted before this one. */
export function eventBefore(event: AdEvent): AdEvent | undefined {
  return BEFORE[event];
}

/** How many events must come before: those of one rank can be counted together. */
export function rankOfEvent(event: AdEvent): number {
  const before = eventBefore(event);
  return before === undefined ? 0 : rankOfEvent(before) + 1;
}

/** The event that is paid for. */
const PAID_BY: Readonly<Record<Goal, AdEvent>> = { cpm: 'impression', cpc: 'click', cpcv: 'complete' };

export function isPaid(event: AdEvent, goal: Goal): boolean {
  return PAID_BY[goal] === event;
}
