//! The description of each type of event: what all have in common, around what is its own.

use serde::Serialize;
use utoipa::{
    Modify, PartialSchema, ToSchema,
    openapi::{
        Object, ObjectBuilder, OneOfBuilder, OpenApi, Ref, RefOr, Schema,
        schema::{Discriminator, SchemaFormat, SchemaType, Type},
    },
};
use wahana_domain::EventType;
use wahana_service::organization_events::described_data;

/// An event of any type.
#[derive(Serialize)]
pub(crate) struct OrganizationEvent;

impl PartialSchema for OrganizationEvent {
    fn schema() -> RefOr<Schema> {
        let mut any = OneOfBuilder::new().description(Some("An event of any type."));
        let mut by_type = Discriminator::new("type");
        for event_type in EventType::ALL {
            let reference = Ref::from_schema_name(component(event_type));
            by_type
                .mapping
                .insert(event_type.as_str().to_owned(), reference.ref_location.clone());
            any = any.item(reference);
        }
        any.discriminator(Some(by_type)).into()
    }
}

impl ToSchema for OrganizationEvent {}

/// Adds the description of each type of event to the document.
pub(crate) struct EventSchemas;

impl Modify for EventSchemas {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        for event_type in EventType::ALL {
            components
                .schemas
                .insert(component(event_type), event(event_type));
        }
    }
}

/// The name under which a type is described.
fn component(event_type: EventType) -> String {
    format!("event.{}.v{}", event_type.as_str(), event_type.version())
}

fn event(event_type: EventType) -> RefOr<Schema> {
    let whole = |description: &str| {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some(description))
            .minimum(Some(1))
            .build()
    };
    let kind = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What kind of event it is."))
        .enum_values(Some([event_type.as_str()]))
        .build();
    let of_session = |description, format| nullable(text(description, format));
    let fields: [(&str, RefOr<Schema>); 9] = [
        (
            "number",
            whole("Its place among the organization's events, from 1.").into(),
        ),
        (
            "id",
            text("The same each time that the event is told.", Some("uuid")).into(),
        ),
        ("type", kind.into()),
        ("version", whole("The version of its type.").into()),
        ("organization_id", text("The organization.", Some("uuid")).into()),
        (
            "session_id",
            of_session(
                "The session that it is about; null for what concerns the organization.",
                Some("uuid"),
            )
            .into(),
        ),
        ("session_name", of_session("That session's name.", None).into()),
        ("happened_at", text("When it happened.", Some("date-time")).into()),
        ("data", described_data(event_type)),
    ];
    let mut object = ObjectBuilder::new();
    for (name, schema) in fields {
        object = object.property(name, schema).required(name);
    }
    object.build().into()
}

fn text(description: &str, format: Option<&str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .format(format.map(|format| SchemaFormat::Custom(format.to_owned())))
        .build()
}

fn nullable(mut schema: Object) -> Object {
    schema.schema_type = SchemaType::from_iter([Type::String, Type::Null]);
    schema
}
