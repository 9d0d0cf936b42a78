import { Type } from 'typebox';
import { Refusal, type RefusalCode } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Decide } from '../contract.ts';

/** A small kind for tests of the store, found by its tags besides its name. */
export const Note = defineKind({
  group: 'test.backline.dev',
  version: 'v1',
  kind: 'Note',
  plural: 'notes',
  scope: 'Namespaced',
  description: 'A text with tags.',
  released: true,
  spec: Type.Object({ text: Type.String(), tags: Type.Array(Type.String()) }),
  indexes: { tag: (spec) => spec.tags },
});

/** Another kind, with objects of the same names. */
export const Folder = defineKind({
  group: 'test.backline.dev',
  version: 'v1',
  kind: 'Folder',
  plural: 'folders',
  scope: 'Cluster',
  description: 'A name.',
  spec: Type.Object({ text: Type.String() }),
});

export const KINDS = [Note, Folder];

export type NoteOperation = {
  readonly kind: 'Note' | 'Folder';
  readonly namespace: string;
  readonly name: string;
} & (
  | { readonly verb: 'put' | 'create'; readonly text: string; readonly tags?: readonly string[] }
  /** Adds one to the number that the text is. */
  | { readonly verb: 'increment' }
  | { readonly verb: 'remove' }
);

export const decideNote: Decide<NoteOperation> = (operation, read) => {
  const kind = operation.kind === 'Note' ? Note : Folder;
  const { namespace, name } = operation;
  const before = read.get(kind, namespace, name);
  switch (operation.verb) {
    case 'remove':
      if (before === undefined) throw refusal('resources/not-found', `${name} does not exist`);
      return { do: 'remove', kind, object: before.object() };
    case 'increment': {
      const text = String(Number(before === undefined ? 0 : textOf(before.object())) + 1);
      return { do: 'put', kind, object: noteObject(operation, text, []) };
    }
    case 'create':
      if (before !== undefined) throw refusal('resources/already-exists', `${name} exists`);
      break;
    case 'put':
      if (before !== undefined && textOf(before.object()) === operation.text) return { do: 'nothing', entry: before };
      break;
  }
  const object = noteObject(operation, operation.text, operation.tags ?? []);
  return {
    do: 'put',
    kind,
    object,
    revision: { hash: `hash-of-${operation.text}`, generation: 1, spec: object.spec },
  };
};

export function textOf(object: ResourceObject): string {
  return Folder.spec(object).text;
}

export function put(name: string, text: string, tags: readonly string[] = []): NoteOperation {
  return { verb: 'put', kind: 'Note', namespace: 'default', name, text, tags };
}

export function remove(name: string): NoteOperation {
  return { verb: 'remove', kind: 'Note', namespace: 'default', name };
}

export function increment(name: string): NoteOperation {
  return { verb: 'increment', kind: 'Note', namespace: 'default', name };
}

function noteObject(target: NoteOperation, text: string, tags: readonly string[]): ResourceObject {
  const { kind, namespace, name } = target;
  return {
    apiVersion: 'test.backline.dev/v1',
    kind,
    metadata: {
      name,
      ...(kind === 'Note' ? { namespace } : {}),
      uid: `uid-${name}`,
      labels: { length: String(text.length) },
    },
    spec: { text, ...(kind === 'Note' ? { tags } : {}) },
  };
}

function refusal(code: RefusalCode, message: string): Refusal {
  return new Refusal(code, 'Conflict', message);
}
