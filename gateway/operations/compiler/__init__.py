"""GraphQL operations compiled to Python: the answers of graphql-core, at a fraction of its time.

graphql-core interprets: for each field of each object of each answer it looks the field up, builds an info object, asks
whether values can be awaited, and keeps a path. But an operation says once which fields it wants. So an operation is
compiled once, into one Python function for each of its selection sets, and these run ever after:

    query { shop { name items { price } } }

becomes, in essence,

    def items(v, p, x):  return {"price": decimal(v.price)}
    def shop(v, p, x):   return {"name": v.name, "items": [items(e, ((p, ITEMS), i), x) for i, e in enumerate(v.items)]}

with the checks of GraphQL's types between, and a handler around them that costs nothing until something goes wrong:
only then is a path put together, an error located, and null passed on to where it may stand.

What comes out is what graphql-core gives: data in the same order, the same errors in the same order, with the same
messages, locations and paths. Fragments, `@skip` and `@include`, aliases, arguments, variables, lists, enums, scalars,
interfaces and unions, awaitables that run concurrently, mutations one after the other and payloads of subscriptions are
covered. graphql-core itself collects the fields (at compile time), coerces whatever is not plain, and words the errors.

    compiled = CompiledOperation(schema, document, operation_name)     # raises NotCompilable
    result = compiled.execute(root, context, variables)                # an ExecutionResult, or awaitable

An operation is compiled anew for each combination of the variables that its `@skip` and `@include` use, up to
VARIANTS_MAX of them; past that, graphql-core executes it. It also executes what is NotCompilable: introspection,
fragments with arguments, `@defer` and `@stream`, operations with directives of their own. Memory is bounded by a Room
that operations share.

A schema as it is works, and is faster. It is fastest where the schema tells, in the `extensions` of its fields and
types under the name KNOWN, what cannot be seen from outside:

    field.extensions[KNOWN] = Attribute("points")       # it reads an attribute, nothing more
    field.extensions[KNOWN] = Method(function, ...)     # it calls function(source, [execution], **arguments)
    type.extensions[KNOWN]  = Instances(cls)            # its objects are instances of this class
    scalar.extensions[KNOWN] = AsItIs(str)              # its texts are told as they are

What is told is trusted: such a value is no awaitable, unless the function is a coroutine function or is told to be
able to return awaitables. Where something unforeseen turns up all the same (an awaitable in a list, an asynchronous
iterable, a type that resolves asynchronously), a query is executed again by graphql-core, which needs no more than
what GraphQL demands of queries: that they change nothing. In a mutation it is an error.
"""

from gateway.operations.compiler.compiled_operation import CHARACTERS_MAX, CompiledOperation, NotCompilable, Room
from gateway.operations.compiler.hints import KNOWN, AsItIs, Attribute, Instances, Method

__all__ = [
    "CHARACTERS_MAX",
    "KNOWN",
    "AsItIs",
    "Attribute",
    "CompiledOperation",
    "Instances",
    "Method",
    "NotCompilable",
    "Room",
]
