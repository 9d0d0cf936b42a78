import { Scale } from '#kernel/kinds/builtin/scale.ts';
import { readObject, requireMatch } from '../body.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { placeOf, writeAndAnswer } from './write-one.ts';

export async function updateObject(server: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, query, part } = request;
  const { target } = call;
  const { fieldValidation } = query;
  const { value: object, warnings } = await readObject(
    exchange,
    part === 'scale' ? Scale : target.kind,
    fieldValidation,
  );
  requireMatch(object, target);
  return writeAndAnswer(
    server,
    request,
    { ...placeOf(target), verb: 'update', part, object, fieldValidation },
    warnings,
  );
}
