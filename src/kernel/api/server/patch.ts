import { randomUUID } from 'node:crypto';
import { isServerSideApply, patchTypeOf } from '#kernel/kinds/patch/patch.ts';
import { readObject, readPatch, requireMatch } from '../body.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { placeOf, writeAndAnswer } from './write-one.ts';

/** How much longer it takes to patch an object than to read it. */
const PATCH_FACTOR = 4;

export async function patchObject(server: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, query, part } = request;
  const { target } = call;
  const { kind, namespace = '', name = '' } = target;
  const { fieldValidation } = query;
  const isApply = isServerSideApply(exchange.request.headers['content-type']);
  if (isApply && part !== 'scale') return applyOnServer(server, request);
  const patchType = patchTypeOf(exchange.request.headers['content-type'], kind, part);
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

/** Merges the object of the body into that of the path, or creates it. */
async function applyOnServer(server: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, query, part } = request;
  const { target } = call;
  const { kind, namespace = '', name = '' } = target;
  const { fieldValidation, force } = query;
  const { value: object, warnings } = await readObject(exchange, kind, fieldValidation);
  requireMatch(object, target);
  exchange.chargeBody(server.store.get(kind, namespace, name)?.text.length ?? 0, PATCH_FACTOR);
  const place = placeOf(target);
  return writeAndAnswer(
    server,
    request,
    { ...place, verb: 'serverSideApply', part, object, force, uid: randomUUID(), fieldValidation },
    warnings,
  );
}
