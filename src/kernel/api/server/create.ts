import { randomUUID } from 'node:crypto';
import { createNamed, readObject, requireMatch } from '../body.ts';
import { answerQuestion } from './answer-question.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { placeOf, writeAndAnswer } from './write-one.ts';

/** Creates an object; one of a kind that is not stored is a question or a command. */
export async function createObject(server: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, query, requireEvery } = request;
  const { target } = call;
  const { kind } = target;
  if (server.virtual.has(kind.id)) {
    // Its caller chooses its name and labels: a rule for some objects would bind nobody.
    requireEvery();
    return answerQuestion(server, request, { kind, id: kind.id });
  }
  const { fieldValidation } = query;
  const { value: object, warnings } = await readObject(exchange, kind, fieldValidation);
  requireMatch(object, target);
  return createNamed(kind, object, (name) => {
    call.name = name;
    const place = { ...placeOf(target), name };
    return writeAndAnswer(
      server,
      request,
      { ...place, verb: 'create', object, uid: randomUUID(), fieldValidation },
      warnings,
    );
  });
}
