import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const productRefusal = defineRefusals('products', {
  'add-on-not-for-sale': {
    reason: 'Conflict',
    meaning: 'The AddOn is not sold to this listener.',
    remedy: 'See the plans, roles and markets of the AddOn.',
  },
  'already-subscribed': {
    reason: 'Conflict',
    meaning: 'The listener has a subscription already.',
    remedy: 'Change the plan of the subscription, or end it first.',
  },
  'bad-interval': {
    reason: 'Invalid',
    meaning: 'The interval is not an ISO 8601 duration.',
    remedy: 'Give one like P1M.',
  },
  'bad-locale': {
    reason: 'Invalid',
    meaning: 'The locale is not a BCP 47 tag.',
    remedy: 'Give one like de-DE.',
  },
  'bad-time': {
    reason: 'Invalid',
    meaning: 'A time in the request is invalid.',
    remedy: 'Give the time of the device clock, or omit it for now.',
  },
  'device-needed': {
    reason: 'Invalid',
    meaning: 'The feature is counted for each device, and the request names none.',
    remedy: 'Give device, an id that stays the same.',
  },
  'invalid-record': {
    reason: 'Invalid',
    meaning: 'A field of the record is invalid.',
    remedy: 'Correct the field that the message names.',
  },
  'manager-stays': {
    reason: 'Conflict',
    meaning: 'The listener pays for the subscription and cannot leave it.',
    remedy: 'End the subscription instead.',
  },
  'market-mismatch': {
    reason: 'Invalid',
    meaning: 'Market and territory do not belong together.',
    remedy: 'Name the market or the territory, not both.',
  },
  'market-needed': {
    reason: 'Invalid',
    meaning: 'The request names neither market nor territory.',
    remedy: 'Give market, the name of a Market, or territory, an ISO 3166 code like DE.',
  },
  'no-grant': {
    reason: 'NotFound',
    meaning: 'There is no grant with this id.',
    remedy: 'See /v1/subjects for the grants of the listener.',
  },
  'no-override': {
    reason: 'NotFound',
    meaning: 'There is no override with this id.',
    remedy: 'See /v1/subjects for the overrides of the listener.',
  },
  'no-records': {
    reason: 'ServiceUnavailable',
    meaning: 'The node has no database.',
    remedy: 'Ask another node, or start this one with DATABASE_URL.',
  },
  'no-seat': {
    reason: 'Conflict',
    meaning: 'The plan has no free seat.',
    remedy: 'Remove members first.',
  },
  'no-subscription': {
    reason: 'NotFound',
    meaning: 'There is no subscription with this id.',
    remedy: 'See /v1/subjects for the subscriptions of the listener.',
  },
  'not-at-once': {
    reason: 'Conflict',
    meaning: 'The feature is metered, not concurrent.',
    remedy: 'Use /v1/consume or /v1/reserve.',
  },
  'not-counted': {
    reason: 'Conflict',
    meaning: 'The feature is not counted.',
    remedy: 'Use /v1/check.',
  },
  'not-offline': {
    reason: 'Conflict',
    meaning: 'The feature cannot be used offline.',
    remedy: 'Declare offlineFor in its Cap.',
  },
  'not-sold': {
    reason: 'Conflict',
    meaning: 'The plan is not sold in this market, channel or interval.',
    remedy: 'See /v1/prices for the offers here, by channel and interval.',
  },
  'not-used-up': {
    reason: 'Conflict',
    meaning: 'The feature is concurrent, not metered.',
    remedy: 'Use /v1/acquire.',
  },
  'other-lease': {
    reason: 'Conflict',
    meaning: 'The lease is of another listener or feature.',
    remedy: 'Return the lease for its own listener and feature.',
  },
  'plan-closed': {
    reason: 'Conflict',
    meaning: 'The plan takes no new subscribers.',
    remedy: 'See /v1/prices for the plans that can be bought here.',
  },
  'plan-needed': {
    reason: 'Invalid',
    meaning: 'The request names neither a plan nor a listener on record.',
    remedy: 'Give the plan of listeners without a subscription, like free.',
  },
  'role-not-in-plan': {
    reason: 'Conflict',
    meaning: 'The plan has no such role.',
    remedy: 'Remove the members with that role, or give them another role first.',
  },
  'subscription-ended': {
    reason: 'Conflict',
    meaning: 'The subscription has ended.',
    remedy: 'Begin a new one.',
  },
  'too-many-grants': {
    reason: 'Conflict',
    meaning: 'The listener has the maximum number of grants.',
    remedy: 'End grants that are used up.',
  },
  'unknown-add-on': {
    reason: 'Invalid',
    meaning: 'There is no such AddOn.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-channel': {
    reason: 'Invalid',
    meaning: 'The market has no such channel.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-feature': {
    reason: 'Invalid',
    meaning: 'There is no such Feature.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-interval': {
    reason: 'Invalid',
    meaning: 'The plan has no price for this interval.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-market': {
    reason: 'Invalid',
    meaning: 'There is no such Market.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-plan': {
    reason: 'Invalid',
    meaning: 'There is no such Plan, or it is not sold in the market.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-role': {
    reason: 'Invalid',
    meaning: 'The plan has no such role.',
    remedy: 'Check the spelling, or whether it is live.',
  },
  'unknown-territory': {
    reason: 'Invalid',
    meaning: 'No Market has this territory.',
    remedy: 'Check the spelling, or whether it is live.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof productRefusal> {}
}
