//! One connection, from greeting to BYE.
