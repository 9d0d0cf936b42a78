import { patchTypeOf } from '#kernel/kinds/patch/patch.ts';
import { readPatch } from '../body.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { placeOf, writeAndAnswer } from './write-one.ts';

/** How much longer it takes to patch an object than to read it. */
const PATCH_FACTOR = 4;

export async function patchObject(server: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, query, part } = request;
  const { target } = call;
  const { kind, namespace = '', name = '' } = target;
  const { fieldValidation } = query;
  const patchType = patchTypeOf(exchange.request.headers['content-type'], kind);
  const { value: patch, warnings } = await readPatch(exchange, kind, fieldValidation);
  // However small the patch is, the whole object is read, patched, checked and written.
  exchange.chargeBody(server.store.get(kind, namespace, name)?.text.length ?? 0, PATCH_FACTOR);
  return writeAndAnswer(
    server,
    request,
    { ...placeOf(target), verb: 'patch', part, patchType, patch, fieldValidation },
    warnings,
  );
}
