import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import { refuseTooDeep, valueDepthMax } from '../schema/depth.ts';
import { isObject, setOwn, type JsonObject } from '../schema/own.ts';
import { malformedPatch } from './patch-failure.ts';

const LIMITS = {
  /** Some 1 µs each, besides the values that they visit. */
  operationsMax: 2_000,
  /**
   * Most steps of all operations of one patch: values that they move, copy and compare, segments of their paths, and list
   * items that shift. Some 0.2 µs each: 4 ms. An object holds at most 32,768 values.
   */
  stepsMax: 20_000,
  /** One step is so many characters of a text, or so many list items that shift. */
  perStep: 64,
} as const;

/** One operation of RFC 6902, its pointers split. */
type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: readonly string[]; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: readonly string[] }
  | { readonly op: 'move' | 'copy'; readonly path: readonly string[]; readonly from: readonly string[] };

/** RFC 6902: all operations in order, or a Refusal that names the operation that failed. Alters the object. */
export function applyJsonPatch(object: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw malformedPatch('it must be a list of operations');
  if (patch.length > LIMITS.operationsMax) {
    throw resourceRefusal(
      'too-many-operations',
      `The allowed maximum operations in a JSON patch is ${LIMITS.operationsMax}, got ${patch.length}.`,
    );
  }
  const operations = patch.map(parseOperation);
  const document = new PatchedDocument(object);
  for (const [index, operation] of operations.entries()) {
    try {
      document.apply(operation);
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      throw resourceRefusal(
        'patch-failed',
        `operation ${index + 1} of the patch (${operation.op} ${pointerOf(operation.path)}) failed: ${error.message}`,
      );
    }
  }
  return document.root;
}

/** An operation that does not fit the document. */
class Mismatch extends Error {}

class PatchedDocument {
  root: unknown;
  #steps = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  apply(operation: Operation): void {
    switch (operation.op) {
      case 'add':
        return this.add(operation.path, this.copy(operation.value));
      case 'replace':
        this.get(operation.path);
        return this.replace(operation.path, this.copy(operation.value));
      case 'remove':
        return this.remove(operation.path);
      case 'copy':
        return this.add(operation.path, this.copy(this.get(operation.from)));
      case 'move': {
        if (isInside(operation.path, operation.from)) throw new Mismatch('a value cannot be moved into itself');
        const value = this.get(operation.from);
        this.visit(value);
        this.remove(operation.from);
        return this.add(operation.path, value);
      }
      case 'test': {
        const there = this.get(operation.path);
        this.visit(there);
        this.visit(operation.value);
        const [found, expected] = [canonicalJson(there), canonicalJson(operation.value)];
        if (found !== expected) throw new Mismatch(`expected ${shorten(expected)}, found ${shorten(found)}`);
        return undefined;
      }
      default:
        return operation satisfies never;
    }
  }

  private spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > LIMITS.stepsMax)
      throw new Mismatch(
        `the patch moves, copies and compares more than ${LIMITS.stepsMax} values; send it in several parts`,
      );
  }

  /** Counts a step for each value within this one, before other work on it. */
  private visit(value: unknown): void {
    const waiting = [value];
    for (let next = waiting.pop(); ; next = waiting.pop()) {
      this.spend(typeof next === 'string' ? 1 + next.length / LIMITS.perStep : 1);
      if (typeof next === 'object' && next !== null) {
        for (const [key, part] of Object.entries(next)) {
          this.spend(key.length / LIMITS.perStep);
          waiting.push(part);
        }
      }
      if (waiting.length === 0) return;
    }
  }

  private copy(value: unknown): unknown {
    this.visit(value);
    return structuredClone(value);
  }

  private get(path: readonly string[]): unknown {
    this.spend(path.length + 1);
    let value = this.root;
    for (const [index, token] of path.entries()) {
      value = isObject(value) || Array.isArray(value) ? child(value, token) : undefined;
      if (value === undefined) throw new Mismatch(`there is nothing at ${pointerOf(path.slice(0, index + 1))}`);
    }
    return value;
  }

  private add(path: readonly string[], value: unknown): void {
    refuseTooDeep(value, path.length);
    const last = path.at(-1);
    if (last === undefined) {
      this.root = value;
      return;
    }
    const parent = this.parentOf(path);
    if (!Array.isArray(parent)) return setOwn(parent, last, value);
    this.spend(parent.length / LIMITS.perStep);
    parent.splice(last === '-' ? parent.length : indexOf(last, parent.length), 0, value);
  }

  private replace(path: readonly string[], value: unknown): void {
    const last = path.at(-1);
    const parent = last === undefined ? undefined : this.parentOf(path);
    if (last === undefined || !Array.isArray(parent)) return this.add(path, value);
    refuseTooDeep(value, path.length);
    parent[indexOf(last, parent.length - 1)] = value;
  }

  private remove(path: readonly string[]): void {
    const last = path.at(-1);
    if (last === undefined) throw new Mismatch('the whole document cannot be removed');
    this.get(path);
    const parent = this.parentOf(path);
    if (!Array.isArray(parent)) {
      delete parent[last];
      return;
    }
    this.spend(parent.length / LIMITS.perStep);
    parent.splice(indexOf(last, parent.length - 1), 1);
  }

  private parentOf(path: readonly string[]): Record<string, unknown> | unknown[] {
    const parent = this.get(path.slice(0, -1));
    if (Array.isArray(parent) || isObject(parent)) return parent as Record<string, unknown> | unknown[];
    throw new Mismatch(`${pointerOf(path.slice(0, -1))} is neither an object nor a list`);
  }
}

function child(parent: JsonObject | readonly unknown[], token: string): unknown {
  if (Array.isArray(parent)) return token === '-' ? undefined : parent[indexOf(token, parent.length - 1)];
  return Object.hasOwn(parent, token) ? Reflect.get(parent, token) : undefined;
}

function indexOf(token: string, max: number): number {
  if (!/^(0|[1-9]\d{0,15})$/.test(token)) throw new Mismatch(`${JSON.stringify(token)} is not an index of a list`);
  if (Number(token) > max) throw new Mismatch(`the list has no index ${token}`);
  return Number(token);
}

function isInside(path: readonly string[], ancestor: readonly string[]): boolean {
  return path.length > ancestor.length && ancestor.every((token, index) => path[index] === token);
}

function parseOperation(operation: unknown, index: number): Operation {
  const wrong = (what: string) => malformedPatch(`operation ${index + 1} ${what}`);
  if (!isObject(operation)) throw wrong('is not an object');
  const { op, value } = operation;
  const path = parsePointer(operation['path'], () => wrong('needs a path such as /spec/name'));
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      if (!Object.hasOwn(operation, 'value')) throw wrong(`(${op}) needs a value`);
      refuseTooDeep(value);
      return { op, path, value };
    case 'remove':
      return { op, path };
    case 'move':
    case 'copy':
      return { op, path, from: parsePointer(operation['from'], () => wrong(`(${op}) needs from, a path`)) };
    default:
      throw wrong('must have an op: add, remove, replace, move, copy or test');
  }
}

function parsePointer(pointer: unknown, wrong: () => Refusal): string[] {
  if (typeof pointer !== 'string' || !/^(\/([^~]|~[01])*)?$/s.test(pointer)) throw wrong();
  const tokens = pointer.split('/').slice(1);
  if (tokens.length > valueDepthMax) throw wrong();
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function pointerOf(path: readonly string[]): string {
  return path.length === 0
    ? 'the document'
    : path.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

const shownCharsMax = 100;

function shorten(text: string): string {
  return text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`;
}
