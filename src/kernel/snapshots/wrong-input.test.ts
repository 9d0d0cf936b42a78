import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { wrongInput } from './question-input.ts';

const input = Type.Object(
  { listener: Type.String(), feature: Type.Optional(Type.String()), amounts: Type.Optional(Type.Array(Type.Number())) },
  { additionalProperties: false },
);
const refusalOf = (given: unknown) => wrongInput({ path: '/v1/check', input }, given, () => Value.Errors(input, given));

test('each parameter that there is not is named once, with near spellings', () => {
  const { message, problems } = refusalOf({ listner: 'l', feature: 'f' });
  assert.deepEqual(problems, [
    {
      path: ['listner'],
      reason: 'FieldValueInvalid',
      detail: 'there is no parameter "listner" (did you mean "listener"?)',
    },
  ]);
  assert.equal(message.split('there is no parameter').length, 2);
});

test('ten problems are named, and how many more there are', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`parameter-${index}`, 1]));
  const { message, problems } = refusalOf(many);
  assert.equal(problems.length, 10);
  assert.match(message, /; and 4990 more$/);
  assert.ok(message.length < 1_000, message);

  const list = refusalOf({ listener: 'l', amounts: Array.from({ length: 3_000 }, () => 'x') });
  assert.ok(list.problems.length <= 10);
  assert.ok(list.message.length < 1_000, list.message);
});

test('a long name is shown by its beginning', () => {
  const { message } = refusalOf({ ['x'.repeat(50_000)]: 1 });
  assert.ok(message.length < 500);
});
