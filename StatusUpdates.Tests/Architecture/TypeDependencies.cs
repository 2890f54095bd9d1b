using Mono.Cecil;

namespace StatusUpdates.Tests.Architecture;

/// <summary>
/// Which handwritten types of an assembly need which others, read from its IL: also in lambdas, iterators and async methods, whose code is in nested types.
/// A nested type counts as its outermost one. Constants are not seen, since the compiler copies them.
/// </summary>
internal static class TypeDependencies
{
    // Of source generators, and of the migrations that Entity Framework writes.
    private static readonly string[] GeneratedNamespaces = [".Generated", ".Migrations"];

    // OfType leaves the types of this assembly: those of others are references, not definitions.
    public static IReadOnlyList<(TypeDefinition From, TypeDefinition To)> Of(ModuleDefinition module) =>
    [
        .. (from type in module.GetTypes()
            where !IsGenerated(type) && !IsGenerated(Outermost(type))
            from needed in NeedsOf(type).SelectMany(PartsOf).OfType<TypeDefinition>()
            where !IsGenerated(Outermost(needed)) && Outermost(needed) != Outermost(type)
            select (Outermost(type), Outermost(needed))).Distinct(),
    ];

    private static TypeDefinition Outermost(TypeDefinition type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    // A name that begins with '<' cannot be written in C#: <Module>, or a type that the compiler added. Nested ones have the code of lambdas and the
    // like, so they count.
    private static bool IsGenerated(TypeDefinition type) =>
        HasGeneratedCode(type)
        || type.BaseType?.Name == "JsonSerializerContext"
        || (!type.IsNested && type.Name.StartsWith('<'))
        || GeneratedNamespaces.Any(end => type.Namespace.EndsWith(end, StringComparison.Ordinal));

    private static bool HasGeneratedCode(ICustomAttributeProvider member) =>
        member.HasCustomAttributes && member.CustomAttributes.Any(attribute => attribute.AttributeType.Name == "GeneratedCodeAttribute");

    private static IEnumerable<TypeReference?> NeedsOf(TypeDefinition type) =>
    [
        type.BaseType,
        .. type.Interfaces.Select(implemented => implemented.InterfaceType),
        .. ConstraintsOf(type),
        .. AttributesOf(type),
        .. type.Fields.Where(field => !HasGeneratedCode(field)).SelectMany(field => AttributesOf(field).Append(field.FieldType)),
        .. type.Properties.SelectMany(AttributesOf),
        .. type.Methods.Where(method => !HasGeneratedCode(method)).SelectMany(NeedsOf),
    ];

    private static IEnumerable<TypeReference?> NeedsOf(MethodDefinition method) =>
    [
        method.ReturnType,
        .. method.Parameters.SelectMany(parameter => AttributesOf(parameter).Append(parameter.ParameterType)),
        .. ConstraintsOf(method),
        .. AttributesOf(method),
        .. method.HasBody ? method.Body.Variables.Select(variable => variable.VariableType) : [],
        .. method.HasBody ? method.Body.ExceptionHandlers.Select(handler => handler.CatchType) : [],
        .. method.HasBody ? method.Body.Instructions.SelectMany(instruction => NeedsOf(instruction.Operand)) : [],
    ];

    // What an instruction names: of a called method its type and type arguments, but not its parameters and result.
    private static IEnumerable<TypeReference?> NeedsOf(object? operand) => operand switch
    {
        TypeReference type => [type],
        GenericInstanceMethod method => [method.DeclaringType, .. method.GenericArguments],
        MethodReference method => [method.DeclaringType],
        FieldReference field => [field.DeclaringType, field.FieldType],
        _ => [],
    };

    private static IEnumerable<TypeReference?> ConstraintsOf(IGenericParameterProvider owner) =>
        owner.GenericParameters.SelectMany(parameter => parameter.Constraints).Select(constraint => constraint.ConstraintType);

    // The attributes, and the types in their arguments, such as typeof(EncodedUpdateConverter).
    private static IEnumerable<TypeReference?> AttributesOf(ICustomAttributeProvider owner) => owner.CustomAttributes.SelectMany(attribute =>
        attribute.ConstructorArguments.Select(argument => argument.Value as TypeReference).Append(attribute.AttributeType));

    // A generic type and its arguments; the element of an array, a reference or a pointer.
    private static IEnumerable<TypeReference> PartsOf(TypeReference? type) => type switch
    {
        null or GenericParameter => [],
        GenericInstanceType generic => [generic.ElementType, .. generic.GenericArguments.SelectMany(PartsOf)],
        TypeSpecification specification => PartsOf(specification.ElementType),
        _ => [type],
    };
}
