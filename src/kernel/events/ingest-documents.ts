import { BATCH_LIMITS } from './read-batch.ts';

const json = (description: string, schema: object) => ({ description, content: { 'application/json': { schema } } });
const text = { type: 'string' } as const;
const time = { type: 'string', format: 'date-time' } as const;
const anything = { type: 'object', additionalProperties: true } as const;

const counts = Object.fromEntries(
  ['accepted', 'duplicates', 'quarantined'].map((name) => [name, { type: 'integer' }] as const),
);
const results = {
  type: 'array',
  description: 'The outcome of each event, in their order.',
  items: {
    type: 'object',
    required: ['outcome'],
    properties: {
      outcome: { enum: ['accepted', 'duplicate', 'quarantined'] },
      reason: { ...text, description: 'Why it was quarantined, as a code.' },
      detail: { ...text, description: 'Why it was quarantined, as a sentence.' },
    },
  },
} as const;
const answer = {
  type: 'object',
  required: ['accepted', 'duplicates', 'quarantined', 'results'],
  properties: { ...counts, results },
};
const segmentAnswer = { ...answer, properties: { success: { const: true }, ...answer.properties } };

const event = {
  type: 'object',
  required: ['type', 'id', 'at'],
  properties: {
    type: { ...text, description: 'An EventType.' },
    id: { ...text, description: 'Idempotency key: retries with the same id count once.' },
    at: time,
    subject: { ...text, description: 'The listener; with a publishable Client, the subject of its token.' },
    properties: { ...anything, description: 'As the EventType declares them.' },
  },
} as const;

const native = {
  post: {
    summary: 'Events; also CloudEvents, in binary, structured and batch form.',
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['events'],
            properties: {
              events: { type: 'array', minItems: 1, maxItems: BATCH_LIMITS.eventsMax, items: event },
              sentAt: {
                ...time,
                description: 'Time of sending, by the clock of the sender; corrects the times of events.',
              },
              producer: { ...text, maxLength: BATCH_LIMITS.producerCharsMax },
              sequence: { type: 'integer', minimum: 0, description: 'Number of the batch; gaps show lost batches.' },
            },
          },
        },
        'application/cloudevents+json': { schema: anything },
        'application/cloudevents-batch+json': { schema: { type: 'array', items: anything } },
      },
    },
    responses: { 200: json('The outcome of each event.', answer) },
  },
} as const;

const segment = (summary: string, schema: object) => ({
  post: {
    summary,
    requestBody: { required: true, content: { 'application/json': { schema } } },
    responses: { 200: json('The outcome of each event.', segmentAnswer) },
  },
});

const batch = segment('Calls of Segment’s libraries.', {
  type: 'object',
  required: ['batch'],
  properties: { batch: { type: 'array', items: anything }, sentAt: time, writeKey: text },
});

/** The OpenAPI description of a path that events are posted to. */
export function ingestOperations(path: string): Readonly<Record<string, object>> {
  switch (path) {
    case '/v1/events':
      return native;
    case '/v1/batch':
    case '/v1/b':
      return batch;
    default:
      return segment('One call of Segment’s libraries; the path names the call.', anything);
  }
}
