//! The state of the engine, shared by all connections.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leakcheck_model::scenario::{LineBytes, Rate};

use crate::clock;
use crate::container::{Config, Container, CreateBody};
use crate::error::ApiError;
use crate::event::Bus;
use crate::image::{Image, Images};
use crate::log::{Budget, Log};
use crate::network::Networks;
use crate::registry::{Ids, Registry, is_name};
use crate::schedule::Schedule;
use crate::settings::Settings;

/// The image of the containers that run from the start.
const FIRST_IMAGE: &str = "leakcheck-noise:simulated";

/// The state of the engine. Lock order: `registry`, `images`, then a container's state.
pub(crate) struct Engine {
    pub(crate) ids: Ids,
    registry: Mutex<Registry>,
    images: Mutex<Images>,
    pub(crate) networks: Networks,
    pub(crate) events: Bus,
    pub(crate) schedule: Schedule,
    pub(crate) budget: Arc<Budget>,
    /// Open connections.
    pub(crate) connections: AtomicUsize,
}

impl Engine {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ApiError> {
        let ids = Ids::new();
        let engine = Self {
            networks: Networks::new(&ids),
            ids,
            registry: Mutex::default(),
            images: Mutex::default(),
            events: Bus::default(),
            schedule: Schedule::default(),
            budget: Budget::new(settings.log_budget),
            connections: AtomicUsize::new(0),
        };
        if settings.containers > 0 {
            engine.run_first_containers(settings.containers, settings.lines_per_second)?;
        }
        Ok(engine)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        // Each change is one insertion or removal, so a panic elsewhere leaves no partial change.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn images(&self) -> MutexGuard<'_, Images> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, key: &str) -> Result<Arc<Container>, ApiError> {
        self.registry().find(key)
    }

    /// Creates a container.
    pub(crate) fn create(&self, name: &str, body: CreateBody) -> Result<Arc<Container>, ApiError> {
        let name = name.strip_prefix('/').unwrap_or(name);
        if !name.is_empty() && !is_name(name) {
            return Err(ApiError::bad(format_args!(
                "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            )));
        }
        let wanted = body.image.clone().unwrap_or_default();
        let image = self.images().find(&wanted).cloned();
        let image = image
            .ok_or_else(|| ApiError::not_found(format_args!("No such image: {}", crate::image::with_tag(&wanted))))?;
        let config = body.complete(&image)?;
        self.insert(name, config)
    }

    fn insert(&self, name: &str, config: Config) -> Result<Arc<Container>, ApiError> {
        if self.networks.named(&config.host.network).is_none() {
            return Err(ApiError::not_found(format_args!(
                "network {} not found",
                config.host.network
            )));
        }
        let log = Log::new(config.host.retention()?, &self.budget);
        let id = self.ids.next();
        let mut registry = self.registry();
        let name = if name.is_empty() {
            registry.free_name(&self.ids)
        } else {
            name.to_owned()
        };
        registry.claim(&name, &id)?;
        let container = Arc::new(Container::new(id, name, clock::now(), config, log));
        registry.insert(Arc::clone(&container));
        drop(registry);
        self.announce(&container, "create", &[]);
        Ok(container)
    }

    fn run_first_containers(&self, count: u32, rate: Rate) -> Result<(), ApiError> {
        let image = Image {
            id: format!("sha256:{}", self.ids.next()),
            layer: format!("sha256:{}", self.ids.next()),
            tags: vec![FIRST_IMAGE.into()],
            created: clock::now(),
            comment: "simulated".into(),
            entrypoint: Some(vec!["/leakcheck".into()]),
            cmd: Some(vec!["noise".into()]),
            ..Image::default()
        };
        self.images().insert(image.clone());
        for number in 1..=count {
            let name = format!("noise-{number:05}");
            let settings = leakcheck_noise::Settings {
                run: "engine".into(),
                emitter: name.clone(),
                lines_per_second: rate,
                line_bytes: LineBytes::default(),
                stderr_share: 0.0,
                lines: None,
                seed: None,
            };
            let mut body = CreateBody::of(FIRST_IMAGE, settings.to_arguments());
            body.label("leakcheck.emitter", &name);
            let container = self.insert(&name, body.complete(&image)?)?;
            self.start(&container)?;
        }
        Ok(())
    }
}
