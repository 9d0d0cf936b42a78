import type { Kind } from '#kernel/kinds/kind.ts';
import type { Sealing } from './contract.ts';

/** Texts of objects as the database has them: those of confidential kinds are sealed. */
export interface TextsAtRest {
  readonly toDatabase: (kind: Kind, namespace: string, name: string, text: string) => string;
  readonly fromDatabase: (kind: Kind, namespace: string, name: string, text: string) => string;
}

/** Without `sealing` a confidential kind cannot be kept at all. */
export function textsAtRest(kinds: Iterable<Kind>, sealing: Sealing | undefined): TextsAtRest {
  for (const kind of kinds) requireSealable(kind, sealing);
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

export function requireSealable(kind: Kind, sealing: Sealing | undefined): void {
  if (sealing !== undefined || kind.confidential !== true) return;
  throw new Error(`the kind ${kind.id} is confidential, and there is no way to seal it`);
}
