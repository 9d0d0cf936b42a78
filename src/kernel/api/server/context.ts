import type { ApiDocument } from '../document.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { RequestContext } from '#kernel/http/router.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { Operation, Part } from '#kernel/store/rules/operation.ts';
import type { Authority, Grant } from '../authority.ts';
import type { Call } from '../call.ts';
import type { AcceptedForm } from '../codec/accept.ts';
import type { StatusReaders } from '../computed-status.ts';
import type { Query } from '../request.ts';
import type { VirtualKind, VirtualList } from '../virtual.ts';

interface WatchMetrics {
  readonly countOpen: () => void;
  readonly countClose: () => void;
  readonly countSlowDrop: () => void;
}

/** The parts that requests are answered from. */
export interface ResourceServer {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  /** Resolves when the kinds are those that were acknowledged anywhere; undefined when they are. */
  readonly settleKinds: () => Promise<void> | undefined;
  /** Resolves when a version of a kind can show these entries; undefined when it can. Rejects with a Refusal. */
  readonly convert: (kind: Kind, entries: readonly Entry[]) => Promise<void> | undefined;
  readonly clock: Clock;
  /** By `Kind.id`; questions about an object by `Kind.id/subresource`. */
  readonly virtual: ReadonlyMap<string, VirtualKind>;
  readonly virtualLists: ReadonlyMap<string, VirtualList>;
  /** Of kinds whose status is computed. */
  readonly statuses: StatusReaders;
  readonly authority: Authority;
  /** Makes documents at paths beside the resources, for those who may read them; see `issuer-documents.ts`. */
  readonly documentAt: (path: string) => (() => ApiDocument) | undefined;
  readonly watchMetrics: WatchMetrics;
}

/** One request about resources that its caller may make. */
export interface VerbRequest extends Grant {
  readonly exchange: Exchange;
  readonly limit: RequestContext;
  readonly call: Call;
  readonly query: Query;
  readonly accepted: AcceptedForm;
  /** The part of the object that it concerns. */
  readonly part: Part;
}
