import type { PatchType } from '#kernel/kinds/patch/patch.ts';

/** How to treat fields that a kind does not have: drop them, drop and warn, or refuse. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

interface ObjectTarget {
  /** `Kind.id`. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The version of a kind of several that is written; absent: that of the object, or the one in which it is stored. */
  readonly apiVersion?: string;
  /** Where the object stands in a change set; refusals then name it. */
  readonly position?: number;
}

/** Which part of the object a write may change; `finalize` is what holds a namespace back. A `scale` is written as a Scale. */
export type Part = 'main' | 'status' | 'scale' | 'finalize';

/**
 * The fate of the objects that a deleted one owns: they are deleted after it, or before it, or they stay without an owner.
 * Undefined leaves what the object's finalizers say, which is Background where they say nothing.
 */
export type Propagation = 'Background' | 'Foreground' | 'Orphan';

/**
 * One write as plain data: everything that deciding it needs besides what is stored, so that a process that is not
 * the writer can forward it. Chance (`uid`, generated names) was drawn where the request came in.
 */
export type Operation =
  | (ObjectTarget & {
      readonly verb: 'create';
      readonly object: unknown;
      readonly uid: string;
      readonly fieldValidation: FieldValidation;
      readonly restores?: true;
    })
  | (ObjectTarget & {
      readonly verb: 'update';
      readonly part: Part;
      readonly object: unknown;
      readonly fieldValidation: FieldValidation;
    })
  | (ObjectTarget & {
      readonly verb: 'patch';
      readonly part: Part;
      readonly patchType: PatchType;
      readonly patch: unknown;
      readonly fieldValidation: FieldValidation;
    })
  /** Merges what is declared into the object, whose other fields stay; or creates it. */
  | (ObjectTarget & {
      readonly verb: 'serverSideApply';
      readonly part: Part;
      readonly object: unknown;
      /** Takes fields away from other managers. */
      readonly force: boolean;
      readonly uid: string;
      readonly fieldValidation: FieldValidation;
    })
  | (ObjectTarget & {
      readonly verb: 'delete';
      readonly uidExpected?: string | undefined;
      readonly versionExpected?: string | undefined;
      readonly propagation?: Propagation | undefined;
      /** One of all that a request selects: it takes the right to `deletecollection`. */
      readonly isOfMany?: true;
      /**
       * A command that ends the object: it takes the right to create this subresource in the place of the right to delete, and
       * leaves this status in the last state. No finalizer holds it.
       */
      readonly by?: { readonly part: string; readonly status: unknown };
      readonly restores?: true;
    })
  /**
   * Creates the object or makes it exactly what is declared: how a change set writes. What `restores` declares again what
   * was live, or that nothing was: what a kind says about changes from one spec to the next, and about what may be
   * deleted, is for people, and must not keep a release from being taken back.
   */
  | (ObjectTarget & {
      readonly verb: 'apply';
      readonly object: unknown;
      readonly uid: string;
      readonly restores?: true;
      /** Only creates: it is refused where there is an object of the name. */
      readonly isNew?: true;
    });
