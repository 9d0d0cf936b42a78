import type { Kind } from '../kind.ts';
import type { Sealing } from '../store-contract.ts';

/** Texts of objects as the database has them: those of confidential kinds are sealed. */
export interface TextsAtRest {
  readonly toDatabase: (kind: Kind, namespace: string, name: string, text: string) => string;
  readonly fromDatabase: (kind: Kind, namespace: string, name: string, text: string) => string;
}

/** Without `sealing` a confidential kind cannot be kept at all. */
export function textsAtRest(kinds: readonly Kind[], sealing: Sealing | undefined): TextsAtRest {
  const unsealed = sealing === undefined ? kinds.find(({ confidential }) => confidential === true) : undefined;
  if (unsealed !== undefined)
    throw new Error(`the kind ${unsealed.id} is confidential, and there is no way to seal it`);
  return {
    toDatabase: (kind, namespace, name, text) =>
      kind.confidential === true && sealing !== undefined
        ? sealing.seal({ kind: kind.id, namespace, name }, text)
        : text,
    fromDatabase: (kind, namespace, name, text) =>
      kind.confidential === true && sealing !== undefined
        ? sealing.open({ kind: kind.id, namespace, name }, text)
        : text,
  };
}
