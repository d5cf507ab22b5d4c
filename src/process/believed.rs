//! Whose certificates say who a client is. What login says of a client counts for nothing here: it has to show what the
//! client has shown.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use tracing::{error, info};

use crate::net::tls::{Identities, client_verifier};
use crate::net::{words, x509};

/// The authorities that are believed; none at first.
#[derive(Default)]
pub struct Believed(Mutex<Option<Arc<dyn ClientCertVerifier>>>);

impl Believed {
    /// Believes those that the configuration names from now on.
    pub fn renew(&self, identities: &Identities) {
        let verifier = match &*identities.authorities {
            [] => None,
            authorities => client_verifier(authorities)
                .inspect_err(|error| error!("no client's certificate is believed: {error}"))
                .ok(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = verifier;
    }

    /// The name in a certificate that can be believed; the client's own comes first.
    pub fn name(&self, shown: &[Vec<u8>]) -> Option<String> {
        let (own, further) = shown.split_first()?;
        let verifier = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let verifier = Arc::clone(verifier.as_ref()?);
        let further: Vec<CertificateDer<'_>> = further
            .iter()
            .map(|one| CertificateDer::from(one.as_slice()))
            .collect();
        let certificate = CertificateDer::from(own.as_slice());
        let verified = verifier.verify_client_cert(&certificate, &further, UnixTime::now());
        match verified {
            Ok(_) => x509::common_name(own),
            Err(error) => {
                let why = words::of_tls(&error);
                info!("a client's certificate is not believed: {why}");
                None
            }
        }
    }
}
