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
    meaning: 'The interval is no ISO 8601 duration.',
    remedy: 'Give one like P1M.',
  },
  'bad-locale': {
    reason: 'Invalid',
    meaning: 'The locale is no BCP 47 tag.',
    remedy: 'Give one like de-DE.',
  },
  'bad-time': {
    reason: 'Invalid',
    meaning: 'A time of the question cannot be used.',
    remedy: 'Give the time by the clock of the device, or leave it out: then it is now.',
  },
  'device-needed': {
    reason: 'Invalid',
    meaning: 'The feature is counted for each device, and the request names none.',
    remedy: 'Give device, an id that stays the same.',
  },
  'invalid-record': {
    reason: 'Invalid',
    meaning: 'A field of the record cannot be used.',
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
    meaning: 'There is no grant of this id.',
    remedy: 'See /v1/subjects for the grants of the listener.',
  },
  'no-override': {
    reason: 'NotFound',
    meaning: 'There is no override of this id.',
    remedy: 'See /v1/subjects for the overrides of the listener.',
  },
  'no-records': {
    reason: 'ServiceUnavailable',
    meaning: 'The node has no database of records.',
    remedy: 'Ask another node, or start this one with DATABASE_URL.',
  },
  'no-seat': {
    reason: 'Conflict',
    meaning: 'The plan has no free seat.',
    remedy: 'Take members off it first.',
  },
  'no-subscription': {
    reason: 'NotFound',
    meaning: 'There is no subscription of this id.',
    remedy: 'See /v1/subjects for the subscriptions of the listener.',
  },
  'not-at-once': {
    reason: 'Conflict',
    meaning: 'The feature is not counted by sessions at once.',
    remedy: 'Count it: /v1/consume, or /v1/reserve.',
  },
  'not-counted': {
    reason: 'Conflict',
    meaning: 'The feature is not counted.',
    remedy: 'Use /v1/check; nothing has to be consumed.',
  },
  'not-offline': {
    reason: 'Conflict',
    meaning: 'The feature cannot be used offline.',
    remedy: 'Declare offlineFor in its Cap.',
  },
  'not-sold': {
    reason: 'Conflict',
    meaning: 'The plan is not sold in this market, channel or interval.',
    remedy: 'See /v1/prices for what can be bought here, on which channel and for which interval.',
  },
  'not-used-up': {
    reason: 'Conflict',
    meaning: 'The feature is not metered.',
    remedy: 'Take a slot: /v1/acquire.',
  },
  'other-lease': {
    reason: 'Conflict',
    meaning: 'The lease is of another listener or feature.',
    remedy: 'Give back the lease for the listener and feature that it was granted for.',
  },
  'plan-closed': {
    reason: 'Conflict',
    meaning: 'The plan takes no new subscribers.',
    remedy: 'See /v1/prices for the plans that can be bought here.',
  },
  'plan-needed': {
    reason: 'Invalid',
    meaning: 'The request names neither a plan nor a listener on record.',
    remedy: 'Give the plan that those without a subscription have, like free.',
  },
  'role-not-in-plan': {
    reason: 'Conflict',
    meaning: 'The plan has no such role.',
    remedy: 'Take them off it, or give them another role first.',
  },
  'subscription-ended': {
    reason: 'Conflict',
    meaning: 'The subscription has ended.',
    remedy: 'Begin a new one.',
  },
  'too-many-grants': {
    reason: 'Conflict',
    meaning: 'The listener has as many grants as one may have.',
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
