import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webhookSignature } from './webhook-signature.ts';

test('a webhook is signed as the libraries of Standard Webhooks check it', () => {
  // The example of its documentation.
  const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', seconds: 1_614_265_330, body: '{"test": 2432232314}' };
  const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  assert.equal(webhookSignature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', message), signature);
  assert.equal(webhookSignature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n', message), signature);
  assert.notEqual(webhookSignature('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', message), signature);
});
