import { Type, type Static } from 'typebox';
import { durationText } from '#kernel/resources/schema/duration.ts';
import { GuardrailSchema } from './guardrail-spec.ts';

const POLICY_LIMITS = {
  stagesMax: 20,
  guardrailsMax: 20,
  approvalsMax: 10,
  channelsMax: 10,
  listMax: 100,
} as const;

/** What happens to releases that people may be told. */
const POLICY_EVENTS = [
  'started',
  'approvalNeeded',
  'stage',
  'paused',
  'resumed',
  'promoted',
  'rolledBack',
  'aborted',
  'superseded',
  'failed',
] as const;

export type PolicyEvent = (typeof POLICY_EVENTS)[number];

const texts = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      minItems: 1,
      maxItems: POLICY_LIMITS.listMax,
      description,
    }),
  );

/** Which objects are meant; everything that is said must hold. */
export const SelectorSchema = Type.Object(
  {
    kinds: texts('Kinds, like Plan or products.backline.dev/Plan; absent: all that are released.'),
    namespaces: texts('Namespaces; absent: all.'),
    matchLabels: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'Labels that the object must have.' }),
    ),
  },
  { description: 'Which objects are meant; everything that is said must hold.' },
);

const StageSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', description: 'What it is called.' }),
    audience: Type.Optional(Type.String({ minLength: 1, maxLength: 253, description: 'Only this Audience.' })),
    markets: texts('Only these Markets.'),
    percent: Type.Number({
      exclusiveMinimum: 0,
      maximum: 100,
      multipleOf: 0.0001,
      default: 100,
      description: 'How many of these units get it, in per cent.',
    }),
    soak: durationText('How long it must have gone well before the next one.', { default: 'PT0S' }),
    deadline: Type.Optional(durationText('How long to wait for evidence; then it is undecided.')),
    promote: Type.Enum(['auto', 'manual'], {
      default: 'auto',
      description: 'Whether somebody has to say that it goes on.',
    }),
  },
  { description: 'One step: who gets the change from then on, besides those of earlier steps.' },
);

export const ChannelSchema = Type.Object(
  {
    type: Type.Enum(['webhook', 'slack', 'pagerduty'], { description: 'The shape of what is sent.' }),
    url: Type.Optional(
      Type.String({ pattern: '^https?://', maxLength: 2_000, description: 'Where to; PagerDuty has one of its own.' }),
    ),
    secret: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ minLength: 1, description: 'Its namespace.' }),
          name: Type.String({ minLength: 1, description: 'Its name.' }),
          key: Type.String({ minLength: 1, description: 'Which of its keys.' }),
        },
        { description: 'The Secret that signs (webhook), holds the address (slack) or the routing key (pagerduty).' },
      ),
    ),
    on: Type.Array(Type.Enum(POLICY_EVENTS, { description: 'What happened.' }), {
      minItems: 1,
      default: ['approvalNeeded', 'paused', 'rolledBack', 'failed'],
      description: 'What is told.',
    }),
  },
  { description: 'Somebody who is told.' },
);

export const PolicySchema = Type.Object(
  {
    selector: SelectorSchema,
    priority: Type.Integer({
      default: 0,
      description:
        'Of several policies for one change, the highest says how it spreads; the approvals of each are needed.',
    }),
    unit: Type.Enum(['listener', 'household'], {
      default: 'household',
      description: 'What falls into buckets: plans, prices and caps are for whole households.',
    }),
    approvals: Type.Optional(
      Type.Object(
        {
          required: Type.Integer({ minimum: 1, maximum: POLICY_LIMITS.approvalsMax, description: 'How many people.' }),
          users: texts('Only these.'),
          groups: texts('Only members of one of these.'),
          expireAfter: durationText('After so long an approval no longer counts.', { default: 'P7D' }),
        },
        { description: 'Who has to agree before anybody gets it. Nobody counts who wrote any of the change.' },
      ),
    ),
    stages: Type.Array(StageSchema, {
      maxItems: POLICY_LIMITS.stagesMax,
      default: [],
      description: 'The steps; after the last one everybody gets it. Without any, everybody does at once.',
    }),
    bake: Type.Optional(
      durationText(
        'How long it goes on being judged after the last stage, when everybody has it: what fails then still takes it back. From PT1M to P30D; absent: not at all.',
      ),
    ),
    guardrails: Type.Array(GuardrailSchema, {
      maxItems: POLICY_LIMITS.guardrailsMax,
      default: [],
      description: 'What must not get worse.',
    }),
    judging: Type.Object(
      {
        alpha: Type.Number({
          exclusiveMinimum: 0,
          maximum: 0.5,
          default: 0.05,
          description: 'How likely a change that harms nothing may be rolled back, over all guardrails.',
        }),
        beta: Type.Number({
          exclusiveMinimum: 0,
          maximum: 0.5,
          default: 0.05,
          description: 'How likely a change that does harm may be promoted.',
        }),
        every: durationText('How often numbers are looked at.', { default: 'PT30S' }),
      },
      { default: {}, description: 'How sure the judge must be.' },
    ),
    onFailure: Type.Enum(['rollback', 'pause'], { default: 'rollback', description: 'What harm leads to.' }),
    onUndecided: Type.Enum(['pause', 'rollback'], {
      default: 'pause',
      description: 'What the deadline of a stage without enough evidence leads to.',
    }),
    queue: Type.Enum(['supersede', 'queue', 'reject'], {
      default: 'supersede',
      description: 'What becomes of a change to something that a release is under way with.',
    }),
    pinFor: Type.Optional(durationText('How long what was rolled back is refused; absent: until somebody unpins it.')),
    notify: Type.Optional(
      Type.Array(ChannelSchema, { maxItems: POLICY_LIMITS.channelsMax, description: 'Who is told what happens.' }),
    ),
  },
  { description: 'How changes of some objects spread.' },
);

export type Selector = Static<typeof SelectorSchema>;
export type Stage = Static<typeof StageSchema>;
export type PolicySpec = Static<typeof PolicySchema>;
