/** OFREP's published descriptions, for our operations. */
const request = {
  content: {
    'application/json': {
      schema: {
        type: 'object',
        properties: {
          context: {
            type: 'object',
            description: 'Attributes; targetingKey names the listener.',
            additionalProperties: true,
          },
          forced: {
            type: 'object',
            description: 'Forced variants, by flag. For server clients.',
            additionalProperties: { type: 'string' },
          },
        },
      },
    },
  },
};
const failure = { description: 'errorCode and errorDetails describe the error.', content: { 'application/json': {} } };
const evaluation = {
  type: 'object',
  properties: {
    key: { type: 'string' },
    value: { description: 'Absent: use the default in the code.' },
    variant: { type: 'string' },
    reason: { enum: ['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED'] },
    metadata: { type: 'object', description: 'rule or experiment, assignmentId, holdout, revision.' },
  },
};
const json = (description: string, schema: object) => ({ description, content: { 'application/json': { schema } } });

export const ofrepDocuments = {
  single: {
    post: {
      summary: 'Evaluates one flag for one context (OFREP).',
      requestBody: request,
      responses: { 200: json('The flag.', evaluation), 400: failure, 404: failure },
    },
  },
  bulk: {
    post: {
      summary:
        'Evaluates all flags for one context (OFREP). With If-None-Match: 304 when no outcome changed for this context.',
      requestBody: request,
      responses: {
        200: json('All flags.', { type: 'object', properties: { flags: { type: 'array', items: evaluation } } }),
        304: { description: 'Nothing changed for this context.' },
        400: failure,
      },
    },
  },
  events: {
    get: {
      summary: 'Server-sent events when flags may have changed (OFREP).',
      responses: {
        200: {
          description: 'refetchEvaluation events.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
      },
    },
  },
} as const;
