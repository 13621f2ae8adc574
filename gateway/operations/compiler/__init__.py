"""Compile GraphQL operations to Python: the results of graphql-core, in a fraction of its time.

graphql-core interprets: for each field of each object of each result it looks up the field, builds an info object,
checks whether values are awaitable, and tracks a path. But the fields of an operation never change. So an operation is
compiled once, into one Python function per selection set, and these functions run for every request:

    query { shop { name items { price } } }

becomes, in essence,

    def items(v, p, x):  return {"price": decimal(v.price)}
    def shop(v, p, x):   return {"name": v.name, "items": [items(e, ((p, ITEMS), i), x) for i, e in enumerate(v.items)]}

plus the type checks of GraphQL, and an error handler that costs nothing until an error occurs: only then are the path
built, the error located, and null propagated to the nearest nullable place.

The result equals that of graphql-core: data in the same order, the same errors in the same order, with the same
messages, locations and paths. Supported: fragments, `@skip` and `@include`, aliases, arguments, variables, lists,
enums, scalars, interfaces and unions, concurrent awaitables, serial mutations and payloads of subscriptions.
graphql-core still collects the fields (at compile time), coerces unusual values, and formulates the errors.

    compiled = CompiledOperation(schema, document, operation_name)     # raises NotCompilable
    result = compiled.execute(root, context, variables)                # an ExecutionResult, or awaitable

An operation is compiled once per combination of the variables that its `@skip` and `@include` use, up to VARIANTS_MAX
of them; beyond that, graphql-core executes it. graphql-core also executes what is NotCompilable: introspection,
fragments with arguments, `@defer` and `@stream`, operations with directives. A CodeBudget that operations share bounds
the memory.

Any schema works, and gets faster. It is fastest with hints: the schema declares, in the `extensions` of its fields and
types under the key HINT, what the compiler cannot find out:

    field.extensions[HINT] = Attribute("points")        # only reads an attribute
    field.extensions[HINT] = Method(function, ...)      # calls function(source, [execution], **arguments)
    type.extensions[HINT] = Instances(cls)              # its objects are instances of cls
    scalar.extensions[HINT] = Unchanged(str)            # its strings are returned unchanged

Hints are trusted: such a value is not awaitable, unless the function is a coroutine function or its hint says that it
may return awaitables. If an unexpected value occurs anyway (an awaitable in a list, an asynchronous iterable, a type
that resolves asynchronously), graphql-core executes the query again, which is safe because queries have no side
effects. In a mutation it is an error.
"""

from gateway.operations.compiler.compiled_operation import CHARACTERS_MAX, CodeBudget, CompiledOperation, NotCompilable
from gateway.operations.compiler.hints import HINT, Attribute, Instances, Method, Unchanged

__all__ = [
    "CHARACTERS_MAX",
    "HINT",
    "Attribute",
    "CodeBudget",
    "CompiledOperation",
    "Instances",
    "Method",
    "NotCompilable",
    "Unchanged",
]
