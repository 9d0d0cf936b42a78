import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const adRefusal = defineRefusals('ads', {
  'unknown-placement': {
    reason: 'NotFound',
    meaning: 'No live Placement has this name.',
    remedy: 'Use the name of a Placement that is live: kubectl get placements.',
  },
  'unknown-ad-set': {
    reason: 'NotFound',
    meaning: 'No AdSet is declared under this live name.',
    remedy: 'Use the live name of an AdSet, NAMESPACE/NAME: kubectl get adsets -A.',
  },
  'history-not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database did not note in the history of the listener that the ad played.',
    remedy: 'Send the impression again: each counts once.',
  },
  'unknown-account': {
    reason: 'NotFound',
    meaning: 'Nothing was ever reserved for this account, and it has no ad set.',
    remedy: 'Use the live name of an Advertiser, NAMESPACE/NAME: kubectl get advertisers -A.',
  },
  'invalid-question': {
    reason: 'Invalid',
    meaning: 'The question about a break is invalid.',
    remedy: 'Correct the field that the message names.',
  },
  'bad-token': {
    reason: 'Unauthorized',
    meaning: 'The token of an event was not sealed by this installation, or was altered.',
    remedy: 'Send the token of the ad as it was answered, whole.',
  },
  'token-expired': {
    reason: 'Expired',
    meaning: 'The token of an event has expired: the event is not counted.',
    remedy: 'Ask for a new break; an ad is played within a day of the answer.',
  },
  'unknown-event': {
    reason: 'NotFound',
    meaning: 'Players report no event of this name.',
  },
  skipped: {
    reason: 'Conflict',
    meaning: 'The listener skipped the ad before: its completion is not counted, and nobody pays for it.',
    remedy: 'Send complete for ads alone that were played to their end.',
  },
  'listener-is-ad-free': {
    reason: 'Conflict',
    meaning: 'The listener got the ad-free feature after the break was answered: the impression is not counted.',
    remedy: 'Drop the ads that were fetched, and ask again.',
  },
  'entitlement-unknown': {
    reason: 'Conflict',
    meaning: 'Whether the listener has the ad-free feature is not known any more: the impression is not counted.',
    remedy: 'Drop the ads that were fetched, and ask again.',
  },
  'too-many-events': {
    reason: 'RequestEntityTooLarge',
    meaning: 'A request has more events than one break can have.',
    remedy: 'Send the events of each break in a request of its own.',
  },
  'events-too-fast': {
    reason: 'TooManyRequests',
    meaning: 'The events of one break come faster than players send them.',
    remedy: 'Send each event once; repeat it only when no answer came.',
  },
  'events-not-stored': {
    reason: 'ServiceUnavailable',
    meaning: 'The database did not take the event.',
    remedy: 'Send it again: each event counts once.',
  },
  'no-records': {
    reason: 'ServiceUnavailable',
    meaning: 'This process has no database, so it counts no events.',
    remedy: 'Send events to a node that has one.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof adRefusal> {}
}
