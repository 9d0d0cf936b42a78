import type { RequestContext } from '#kernel/http/router.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Author } from '#kernel/store/contract.ts';
import type { Grant, User } from './authority.ts';
import type { Page } from './list.ts';
import type { Query, RequestTarget } from './request.ts';

/**
 * A kind whose objects are not stored: posting one is a question or a command, answered by the object. It gets objects
 * that fit the schema of the kind.
 */
export type VirtualKind = (
  object: ResourceObject,
  call: {
    readonly user: User;
    readonly author: Author;
    readonly dryRun: boolean;
    readonly namespace: string | undefined;
    /** Of the object that a subresource was posted to. */
    readonly name: string | undefined;
    /** Of a subresource: throws a Refusal for an object that it may not be asked of, the same for none. Absent for parts of this program. */
    readonly requireObject?: Grant['requireObject'];
    /** How long the caller waits; absent for parts of this program. */
    readonly limit?: RequestContext;
  },
) => Promise<object>;

/** A kind whose objects are not stored but looked up: gives a page of them, or the one that the target names. */
export type VirtualList = (target: RequestTarget, query: Query) => Promise<Page>;
